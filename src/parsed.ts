/** What reading an operator's text gives: the value, or what is wrong with it, what is allowed and an example. */
export type Parsed<T> = { readonly value: T } | Problem;

export interface Problem {
  /** What is wrong, without naming the flag: `"ftp:x" is no selector`. */
  readonly problem: string;
  /** What would be right, in a phrase: `name:, image:, label:K=V, ip:CIDR or compose:PROJECT/SERVICE`. */
  readonly allowed: string;
  readonly example: string;
}
