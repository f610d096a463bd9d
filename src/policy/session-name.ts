import type { Workload } from "../identity/workload.ts";
import type { Parsed } from "../parsed.ts";
import { filled, parseTemplate, variablesOf } from "./template.ts";

/** The template of session names where the operator gives none: for a static workload it is the name alone. */
export const DEFAULT_SESSION_NAME = "{workload}-{id}";

const MAX_LENGTH = 64;

/** Reads a template of session names. */
export function parseSessionName(template: string): Parsed<string> {
  return parseTemplate(template, "a session name", "{host}-{workload}-{id}");
}

/**
 * The session name of one workload: each variable put in once, then made what STS accepts (docs/contract.md, S2). Of a name that is
 * too long the end is kept, and with it the first 12 characters of the container's id where the template has {id}.
 */
export function sessionNameFor(template: string, workload: Workload, host: string): string {
  const textOf = variablesOf(workload, host);
  const id = textOf("id") ?? "";
  const effective = workload.kind === "static" && template === DEFAULT_SESSION_NAME ? "{workload}" : template;
  const clean = sanitised(filled(effective, (name) => textOf(name) ?? ""));
  if (clean.length <= MAX_LENGTH) return clean.padEnd(2, "-");
  const tail = clean.slice(-MAX_LENGTH);
  if (id === "" || !effective.includes("{id}") || tail.includes(id)) return tail;
  return `${clean.slice(0, MAX_LENGTH - id.length - 1)}-${sanitised(id)}`;
}

/** Text with a dash for each character that STS takes in no name (docs/contract.md, S2). */
export function sanitised(text: string): string {
  return text.replace(/[^A-Za-z0-9_+=,.@-]/gu, "-");
}
