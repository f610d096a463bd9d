import { isFields } from "../fields.ts";
import type { Parsed, Problem } from "../parsed.ts";

const MAX_LENGTH = 2048;
const MAX_ARNS = 10;
const POLICY_ARN = /^arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy\/(?:[\x21-\x7e]+\/)?[\w+=,.@-]{1,128}$/;

/**
 * Reads an inline session policy (docs/contract.md, S5): JSON, given back as it was written but for the white space between its parts,
 * since STS counts that. Whether it is a policy, and whether it fits with the tags into what STS packs, is the word of STS.
 */
export function parseSessionPolicy(text: string): Parsed<string> {
  if (!isJsonObject(text)) return policyProblem("this is no JSON object");
  const value = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, quoted: string | undefined) => quoted ?? "");
  if (value.length > MAX_LENGTH) return policyProblem(`this has ${value.length} characters without its white space`);
  return /^[\x20-\xff]*$/.test(value) ? { value } : policyProblem("this holds a character beyond U+00FF");
}

function isJsonObject(text: string): boolean {
  try {
    return isFields(JSON.parse(text));
  } catch {
    return false;
  }
}

function policyProblem(problem: string): Problem {
  return {
    problem,
    allowed: `a policy as JSON text of at most ${MAX_LENGTH} characters up to U+00FF (write others as \\uXXXX)`,
    example: `policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'`,
  };
}

/** Reads the ARN of a managed policy, of any partition: a customer's or one of AWS (docs/contract.md, S5). */
export function parsePolicyArn(text: string): Parsed<string> {
  if (text.length <= MAX_LENGTH && POLICY_ARN.test(text)) return { value: text };
  return {
    problem: `${JSON.stringify(text)} is not the ARN of a managed policy`,
    allowed: "arn:PARTITION:iam::ACCOUNT:policy/NAME, or aws in the place of the account",
    example: "arn:aws:iam::aws:policy/ReadOnlyAccess",
  };
}

/** What is wrong with these ARNs as a whole. */
export function policyArnsProblem(arns: readonly string[]): Problem | undefined {
  const isFit = arns.length <= MAX_ARNS && new Set(arns).size === arns.length;
  if (isFit) return undefined;
  return {
    problem: arns.length > MAX_ARNS ? `there are ${arns.length} policies` : "a policy is given twice",
    allowed: `up to ${MAX_ARNS} different ones`,
    example: "policyArns: [arn:aws:iam::aws:policy/ReadOnlyAccess]",
  };
}
