import type { Parsed } from "../parsed.ts";
import { DEFAULT_SESSION_NAME } from "./session-name.ts";
import { variablesIn } from "./template.ts";

/** Whether each container has a session of its own, or those of one role and host share one. */
export type SessionScope = "container" | "role";

/** The template of session names where the operator gives none. */
export function defaultSessionName(scope: SessionScope): string {
  return scope === "container" ? DEFAULT_SESSION_NAME : "{host}";
}

/** `parse`, and for sessions that containers share a problem where the template would make them differ. */
export function inScope(scope: SessionScope, parse: (text: string) => Parsed<string>): (text: string) => Parsed<string> {
  if (scope === "container") return parse;
  return (text) => {
    const parsed = parse(text);
    const own = variablesIn(text).find((name) => name !== "host");
    if ("problem" in parsed || own === undefined) return parsed;
    return {
      problem: `{${own}} differs from container to container, and with --session-scope role they share a session`,
      allowed: "text with {host}, or --session-scope container",
      example: "{host}",
    };
  };
}
