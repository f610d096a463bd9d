import { garden } from "./garden.ts";
import { NGINX } from "./readers.ts";

garden(NGINX, []);
