import type { Parsed, Problem } from "../parsed.ts";
import type { Fact } from "./session-fact.ts";
import { filled, literalOf, parseTemplate, type VariableText, variablesIn } from "./template.ts";

/** One session tag, as STS gets it. */
export interface SessionTag {
  readonly key: string;
  readonly value: string;
  /** Whether it stays with the sessions that this one makes. */
  readonly isTransitive: boolean;
}

/** One session tag, as the operator describes it for all workloads of a binding. */
export interface TagPlan {
  readonly key: string;
  /** The template of its value. */
  readonly template: string;
  readonly isTransitive: boolean;
}

const MAX_TAGS = 50;
const MAX_KEY = 128;
const MAX_VALUE = 256;
const ILLEGAL = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/u;
const LETTERS = "letters, digits, spaces and _.:/=+-@";

/** Reads the key of a session tag (docs/contract.md, S3). */
export function parseTagKey(text: string): Parsed<string> {
  const isFit = text.length > 0 && text.length <= MAX_KEY && !ILLEGAL.test(text) && !text.toLowerCase().startsWith("aws:");
  if (isFit) return { value: text };
  const problem = `${JSON.stringify(text)} is no key of a session tag`;
  return { problem, allowed: `1 to ${MAX_KEY} ${LETTERS}, not beginning with aws:`, example: "team: payments" };
}

/** Reads the template of a tag's value: what is fixed in it must be what STS accepts (docs/contract.md, S3). */
export function parseTagValue(text: string): Parsed<string> {
  const template = text === "" ? { value: text } : parseTemplate(text, "a session tag", "{compose.service}");
  if ("problem" in template) return template;
  const fixed = literalOf(text);
  if (fixed.length <= MAX_VALUE && !ILLEGAL.test(fixed)) return template;
  const problem = `${JSON.stringify(text)} is no value of a session tag`;
  return { problem, allowed: `up to ${MAX_VALUE} ${LETTERS} with variables`, example: "team: payments" };
}

/** What is wrong with tags of these keys as a whole: STS compares keys without case, and passes on only what it was given. */
export function tagSetProblem(keys: readonly string[], transitiveKeys: readonly string[]): Problem | undefined {
  const folded = keys.map((key) => key.toLowerCase());
  const twin = keys.find((_, k) => folded.indexOf(folded[k] ?? "") !== k);
  if (twin !== undefined)
    return {
      problem: `the tag ${JSON.stringify(twin)} is given twice`,
      allowed: "each key once, whatever its case",
      example: "team: payments",
    };
  if (keys.length > MAX_TAGS)
    return { problem: `there are ${keys.length} tags`, allowed: `${MAX_TAGS} tags at most`, example: "team: payments" };
  const stray = transitiveKeys.find((key) => !keys.includes(key));
  if (stray === undefined) return undefined;
  return {
    problem: `the transitive tag ${JSON.stringify(stray)} is none of the tags`,
    allowed: keys.length === 0 ? "no transitive tag without tags" : `some of ${keys.join(", ")}`,
    example: "transitiveTagKeys: [team]",
  };
}

/**
 * The tags of one workload. Policies decide by them, so a value is never altered: one that lacks a variable, or that STS would not
 * take, is no value.
 */
export function tagsFor(plans: readonly TagPlan[], textOf: VariableText): Fact<readonly SessionTag[]> {
  const tags: SessionTag[] = [];
  for (const { key, template, isTransitive } of plans) {
    const value = tagValueFor(template, textOf);
    if ("problem" in value) return { problem: `the tag ${JSON.stringify(key)} ${value.problem}` };
    tags.push({ key, value: value.value, isTransitive });
  }
  return { value: tags };
}

function tagValueFor(template: string, textOf: VariableText): Fact<string> {
  const missing = variablesIn(template).find((name) => !textOf(name));
  if (missing !== undefined) return { problem: `needs {${missing}}, and this workload has none` };
  const value = filled(template, (name) => textOf(name) ?? "");
  if (value.length > MAX_VALUE) return { problem: `would have ${value.length} characters: ${MAX_VALUE} are allowed` };
  const [illegal] = ILLEGAL.exec(value) ?? [];
  return illegal === undefined ? { value } : { problem: `would hold ${codePointOf(illegal)}, which no session tag may hold` };
}

function codePointOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
