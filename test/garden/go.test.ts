import { garden } from "./garden.ts";
import { GO } from "./readers.ts";

garden(GO, []);
