import type { Workload } from "../identity/workload.ts";
import type { Parsed } from "../parsed.ts";

/** The template of session names where the operator gives none: for a static workload it is the name alone. */
export const DEFAULT_SESSION_NAME = "{workload}-{id}";

const VARIABLE = /\{([^{}]*)\}/g;
const MAX_LENGTH = 64;

/** Reads a template of session names: text and the variables {workload} {id} {image} {host} {compose.service} {label:KEY}. */
export function parseSessionName(template: string): Parsed<string> {
  const unknown = [...template.matchAll(VARIABLE)].find(
    ([, name = ""]) => !/^(workload|id|image|host|compose\.service|label:.+)$/.test(name),
  );
  const isBroken = /[{}]/.test(template.replace(VARIABLE, ""));
  if (!unknown && !isBroken && template !== "") return { value: template };
  return {
    problem: unknown ? `${unknown[0]} is no variable of a session name` : `${JSON.stringify(template)} is no template of a session name`,
    allowed: "text with {workload} {id} {image} {host} {compose.service} {label:KEY}",
    example: "{host}-{workload}-{id}",
  };
}

/**
 * The session name of one workload: each variable put in once, then made what STS accepts (docs/contract.md, S2). Of a name that is
 * too long the end is kept, and with it the first 12 characters of the container's id where the template has {id}.
 */
export function sessionNameFor(template: string, workload: Workload, host: string): string {
  const id = workload.id?.slice(0, 12) ?? "";
  const effective = workload.kind === "static" && template === DEFAULT_SESSION_NAME ? "{workload}" : template;
  const filled = effective.replace(VARIABLE, (_, name: string) => textFor(name, id, workload, host));
  const clean = sanitise(filled);
  if (clean.length <= MAX_LENGTH) return clean.padEnd(2, "-");
  const tail = clean.slice(-MAX_LENGTH);
  if (id === "" || !effective.includes("{id}") || tail.includes(id)) return tail;
  return `${clean.slice(0, MAX_LENGTH - id.length - 1)}-${sanitise(id)}`;
}

function textFor(variable: string, id: string, workload: Workload, host: string): string {
  switch (variable) {
    case "workload":
      return workload.name;
    case "id":
      return id;
    case "image":
      return workload.image ?? "";
    case "host":
      return host;
    case "compose.service":
      return labelOf(workload, "com.docker.compose.service");
    default:
      return labelOf(workload, variable.slice("label:".length));
  }
}

function labelOf({ labels }: Workload, key: string): string {
  return (Object.hasOwn(labels, key) ? labels[key] : undefined) ?? "";
}

function sanitise(text: string): string {
  return text.replace(/[^A-Za-z0-9_+=,.@-]/gu, "-");
}
