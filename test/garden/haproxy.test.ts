import { garden } from "./garden.ts";
import { HAPROXY } from "./readers.ts";

garden(HAPROXY, []);
