import { ImdsgateError } from "./errors.ts";

/** What reading an operator's text gives: the value, or what is wrong with it, what is allowed and an example. */
export type Parsed<T> = { readonly value: T } | Problem;

export interface Problem {
  /** What is wrong, without naming the flag: `"ftp:x" is no selector`. */
  readonly problem: string;
  /** What would be right, in a phrase: `name:, image:, label:K=V … or ip:CIDR`. */
  readonly allowed: string;
  readonly example: string;
}

/** The value; throws CONFIG_INVALID that names where the text was set (`--bind`), what is wrong, what is allowed and an example. */
export function parsedOrThrow<T>(origin: string, parsed: Parsed<T>): T {
  if ("value" in parsed) return parsed.value;
  const example = origin.startsWith("--") ? `${origin} ${parsed.example}` : parsed.example;
  throw new ImdsgateError("CONFIG_INVALID", `${origin}: ${parsed.problem}\n  allowed  ${parsed.allowed}\n  example  ${example}`);
}
