import { garden } from "./garden.ts";
import { NODE } from "./readers.ts";

garden(NODE, []);
