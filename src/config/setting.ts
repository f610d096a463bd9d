import { ImdsgateError } from "../errors.ts";
import type { BindingEntry } from "./binding-entry.ts";

/** One value that somebody set, as text, and where he set it: `--bind`, `IMDSGATE_BIND` or `config.yaml line 3`. */
export interface Setting {
  readonly origin: string;
  /** Of a map of the file's `bind` list: what it is called where something is told of it. */
  readonly text: string;
  /** Of a map of the file's `bind` list: all that it says. */
  readonly entry?: BindingEntry;
}

/** What stands in the file where a text belongs. Throws CONFIG_INVALID. */
export function plainText(value: unknown, origin: string): string {
  if (typeof value === "string") return value;
  throw new ImdsgateError("CONFIG_INVALID", `${origin}: ${JSON.stringify(value) ?? "nothing"} stands where a text belongs`);
}
