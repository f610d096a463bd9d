import { constraintFault, invalid, type StsFault, textFault } from "./sts-constraint.ts";

const TAG_KEY = { least: 1, most: 128, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u };
const TAG_VALUE = { least: 0, most: 256, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u };
const POLICY = { least: 1, most: 2048, pattern: /^[\t\n\r\x20-\xff]+$/ };
const ARN = { least: 20, most: 2048, pattern: /^[\t\n\r\x20-\x7e\x85\xa0-\uffff]+$/ };
const POLICY_ARN = /^arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy\/(?:[\x21-\x7e]+\/)?[\w+=,.@-]{1,128}$/;
const MAX_TAGS = 50;
const MAX_POLICIES = 10;

/**
 * What STS finds wrong with session tags and session policies; undefined for nothing (`docs/contract.md`, S3 and S5). In the words of
 * STS as far as they are public. How much of all this fits is not judged: that is the state `packedPolicyTooLarge`.
 */
export function sessionFault(parameters: URLSearchParams): StsFault | undefined {
  return tagsFault(parameters) ?? policyFault(parameters.get("Policy")) ?? policyArnsFault(parameters);
}

function tagsFault(parameters: URLSearchParams): StsFault | undefined {
  const tags = membersOf(parameters, "Tags", ".Key").map(({ n, value }) => ({
    n,
    key: value,
    value: parameters.get(`Tags.member.${n}.Value`),
  }));
  if (tags.length > MAX_TAGS) return tooMany("tags", MAX_TAGS);
  for (const { n, key, value } of tags) {
    const fault = textFault(`tags.${n}.member.key`, key, TAG_KEY) ?? textFault(`tags.${n}.member.value`, value, TAG_VALUE);
    if (fault) return fault;
  }
  const keys = tags.map(({ key }) => key.toLowerCase());
  if (new Set(keys).size < keys.length) return badTag("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
  if (keys.some((key) => key.startsWith("aws:"))) return badTag("Tag keys must not begin with the reserved prefix aws:.");
  const transitive = membersOf(parameters, "TransitiveTagKeys", "");
  if (transitive.length > MAX_TAGS) return tooMany("transitiveTagKeys", MAX_TAGS);
  if (transitive.every(({ value }) => keys.includes(value.toLowerCase()))) return undefined;
  return badTag("The specified transitive tag key must be included in the requested tags.");
}

function policyFault(policy: string | null): StsFault | undefined {
  if (policy === null) return undefined;
  const fault = textFault("policy", policy, POLICY);
  if (fault) return fault;
  return isPolicy(policy) ? undefined : { status: 400, code: "MalformedPolicyDocument", message: "Syntax errors in policy." };
}

/** Whether this is JSON with statements: all that is looked at, since sessions here are allowed nothing anyway. */
function isPolicy(text: string): boolean {
  try {
    const policy: unknown = JSON.parse(text);
    return typeof policy === "object" && policy !== null && "Statement" in policy;
  } catch {
    return false;
  }
}

function policyArnsFault(parameters: URLSearchParams): StsFault | undefined {
  const arns = membersOf(parameters, "PolicyArns", ".arn");
  if (arns.length > MAX_POLICIES) return tooMany("policyArns", MAX_POLICIES);
  for (const { n, value } of arns) {
    const fault = textFault(`policyArns.${n}.member.arn`, value, ARN);
    if (fault) return fault;
    if (!POLICY_ARN.test(value)) return invalid(`ARN ${value} is not valid.`);
  }
  return undefined;
}

/** The members of a list by their numbers: `Tags.member.1.Key`. */
function membersOf(parameters: URLSearchParams, list: string, field: string): readonly { readonly n: number; readonly value: string }[] {
  return [...parameters]
    .map(([name, value]) => ({ name, value, n: Number(/\.member\.(\d+)/.exec(name)?.[1]) }))
    .filter(({ name, n }) => name === `${list}.member.${n}${field}`)
    .sort((one, other) => one.n - other.n);
}

function tooMany(name: string, most: number): StsFault {
  return constraintFault(`Value at '${name}'`, `Member must have length less than or equal to ${most}`);
}

function badTag(message: string): StsFault {
  return { status: 400, code: "InvalidParameterValue", message };
}
