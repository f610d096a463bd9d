import { ImdsgateError } from "../errors.ts";
import type { BindingExtras } from "./binding-entry.ts";

/** One value that somebody set, as text, and where he set it: `--bind`, `IMDSGATE_BIND` or `config.yaml line 3`. */
export interface Setting {
  readonly origin: string;
  readonly text: string;
  /** Of a binding in the file: what it says besides. */
  readonly extras?: BindingExtras;
}

/** What stands in the file where a text belongs. Throws CONFIG_INVALID. */
export function plainText(value: unknown, origin: string): string {
  if (typeof value === "string") return value;
  throw new ImdsgateError("CONFIG_INVALID", `${origin}: ${JSON.stringify(value) ?? "nothing"} stands where a text belongs`);
}
