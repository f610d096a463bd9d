import type { Parsed } from "../parsed.ts";
import type { Fact } from "./session-fact.ts";
import { sanitised } from "./session-name.ts";
import { filled, literalOf, parseTemplate, type VariableText, variablesIn } from "./template.ts";

const WELL_FORMED = /^[\w+=,.@-]{2,64}$/;
const EXAMPLE = "{host}-{workload}";

/** Reads a template of source identities: what is fixed in it must be what STS accepts (docs/contract.md, S4). */
export function parseSourceIdentity(text: string): Parsed<string> {
  const template = parseTemplate(text, "a source identity", EXAMPLE);
  if ("problem" in template) return template;
  const fixed = literalOf(text);
  const isFit = variablesIn(text).length === 0 ? WELL_FORMED.test(fixed) : /^[\w+=,.@-]{0,64}$/.test(fixed);
  if (isFit) return template;
  return {
    problem: `${JSON.stringify(text)} is no source identity`,
    allowed: "2 to 64 letters, digits and _+=,.@- with variables",
    example: EXAMPLE,
  };
}

/**
 * The source identity of one workload. What a variable brings is sanitised as in a session name; but policies decide by it, so one that
 * lacks a variable, or is too long, is not made up.
 */
export function sourceIdentityFor(template: string, textOf: VariableText): Fact<string> {
  const missing = variablesIn(template).find((name) => !textOf(name));
  if (missing !== undefined) return { problem: `the source identity needs {${missing}}, and this workload has none` };
  const value = sanitised(filled(template, (name) => textOf(name) ?? ""));
  return WELL_FORMED.test(value)
    ? { value }
    : { problem: `the source identity would have ${value.length} characters: 2 to 64 are allowed` };
}
