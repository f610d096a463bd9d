import type { Workload } from "../identity/workload.ts";
import type { Parsed } from "../parsed.ts";

/** What one variable stands for, by its name without braces; undefined where the workload has nothing of the kind. */
export type VariableText = (name: string) => string | undefined;

const VARIABLE = /\{([^{}]*)\}/g;
const KNOWN = /^(workload|id|image|host|compose\.service|label:.+)$/;

/** Reads a template, text and the variables {workload} {id} {image} {host} {compose.service} {label:KEY}. `what`: `a session name`. */
export function parseTemplate(text: string, what: string, example: string): Parsed<string> {
  const unknown = variablesIn(text).find((name) => !KNOWN.test(name));
  if (unknown === undefined && !/[{}]/.test(literalOf(text)) && text !== "") return { value: text };
  return {
    problem: unknown === undefined ? `${JSON.stringify(text)} is no template of ${what}` : `{${unknown}} is no variable of ${what}`,
    allowed: "text with {workload} {id} {image} {host} {compose.service} {label:KEY}",
    example,
  };
}

/** The names of a template's variables, in their order. */
export function variablesIn(template: string): readonly string[] {
  return [...template.matchAll(VARIABLE)].map(([, name = ""]) => name);
}

/** A template without its variables: what is the same for every workload. */
export function literalOf(template: string): string {
  return template.replace(VARIABLE, "");
}

/** A template with each variable put in once: what a variable brings is not read again. */
export function filled(template: string, textOf: (name: string) => string): string {
  return template.replace(VARIABLE, (_, name: string) => textOf(name));
}

/** What the variables stand for. Labels are those that count as the operator's word; {id} is the first 12 characters of the container's. */
export function variablesOf({ name, id, image, labels }: Workload, host: string): VariableText {
  const labelOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (variable) => {
    switch (variable) {
      case "workload":
        return name;
      case "id":
        return id?.slice(0, 12);
      case "image":
        return image;
      case "host":
        return host;
      case "compose.service":
        return labelOf("com.docker.compose.service");
      default:
        return labelOf(variable.slice("label:".length));
    }
  };
}
