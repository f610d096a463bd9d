import type { Parsed } from "../parsed.ts";

/** An IAM role's ARN in its parts. */
export interface RoleArn {
  readonly arn: string;
  readonly partition: string;
  readonly account: string;
  /** The last segment: what a credentials listing shows (docs/contract.md, L2). */
  readonly name: string;
}

/**
 * What an operator wrote where a role belongs: a full ARN or an alias of one, or a bare name that means a role of the host's
 * account. A bare name may have a path (`team/app`). `text` is what he wrote.
 */
export type RoleReference =
  | { readonly kind: "arn"; readonly role: RoleArn; readonly text: string }
  | { readonly kind: "name"; readonly name: string; readonly text: string };

/** A name that the operator gives an ARN with `--role ALIAS=ARN`. */
export interface RoleAlias {
  readonly alias: string;
  readonly role: RoleArn;
}

const EXAMPLE_ARN = "arn:aws:iam::111122223333:role/app";
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/;
const PLAIN_NAME = /^[\w+,.@-]{1,64}$/;

/** Reads a role's full ARN, of any partition (docs/contract.md, S7 and L2). */
export function parseRoleArn(text: string): Parsed<RoleArn> {
  const parts = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/([\x21-\x7e]{1,576})$/.exec(text);
  const [, partition = "", account = "", resource = ""] = parts ?? [];
  const name = resource.slice(resource.lastIndexOf("/") + 1);
  if (!parts || !ROLE_NAME.test(name)) {
    return {
      problem: `${JSON.stringify(text)} is not the ARN of a role`,
      allowed: "arn:PARTITION:iam::ACCOUNT:role/NAME: 12 digits, and a name of 1 to 64 letters, digits and +=,.@_-",
      example: EXAMPLE_ARN,
    };
  }
  return { value: { arn: text, partition, account, name } };
}

/** Reads what stands where a role belongs; `aliases` are those of `--role ALIAS=ARN`. */
export function parseRoleReference(text: string, aliases: ReadonlyMap<string, RoleArn>): Parsed<RoleReference> {
  const aliased = aliases.get(text);
  if (aliased) return { value: { kind: "arn", role: aliased, text } };
  if (text.startsWith("arn:")) {
    const role = parseRoleArn(text);
    return "problem" in role ? role : { value: { kind: "arn", role: role.value, text } };
  }
  const segments = text.split("/");
  if (text.length <= 576 && segments.every((segment) => PLAIN_NAME.test(segment))) return { value: { kind: "name", name: text, text } };
  return {
    problem: `${JSON.stringify(text)} is not the name of a role`,
    allowed: 'an ARN, an alias, or a name of 1 to 64 letters, digits and +,.@_- (a name that holds "=" needs an alias: --role ALIAS=ARN)',
    example: EXAMPLE_ARN,
  };
}

/** Reads one `--role ALIAS=ARN`. */
export function parseRoleAlias(text: string): Parsed<RoleAlias> {
  const end = text.indexOf("=");
  const alias = text.slice(0, Math.max(end, 0));
  if (!PLAIN_NAME.test(alias)) {
    return {
      problem: `${JSON.stringify(text)} does not begin with an alias`,
      allowed: "ALIAS=ARN, the alias of 1 to 64 letters, digits and +,.@_-",
      example: `app=${EXAMPLE_ARN}`,
    };
  }
  const role = parseRoleArn(text.slice(end + 1));
  return "problem" in role ? { ...role, example: `app=${EXAMPLE_ARN}` } : { value: { alias, role: role.value } };
}

/** The role called `name` (with or without a path) in an account. */
export function roleInAccount(name: string, partition: string, account: string): RoleArn {
  return { arn: `arn:${partition}:iam::${account}:role/${name}`, partition, account, name: name.slice(name.lastIndexOf("/") + 1) };
}
