import type { Parsed } from "../parsed.ts";
import { parseRoleReference, type RoleArn, type RoleReference } from "./role-arn.ts";
import { parseSelector, type Selector } from "./selector.ts";
import { PLAIN_SESSION, type SessionPlan } from "./session.ts";

/** One `--bind SELECTOR=ROLE`. */
export interface RoleBinding {
  readonly selector: Selector;
  readonly role: RoleReference;
  readonly session: SessionPlan;
  /** Whether requests without an IMDS token are refused; undefined leaves it to the policy as a whole. */
  readonly requireImdsv2: boolean | undefined;
  /** As the operator wrote it, to be shown alone: who it is for and which role stand above. */
  readonly text: string;
}

/**
 * Reads one `--bind SELECTOR=ROLE`. The role begins after the last `=arn:`, else after the last `=`, so that a label's value
 * may hold `=`; `aliases` are those of `--role ALIAS=ARN`.
 */
export function parseRoleBinding(text: string, aliases: ReadonlyMap<string, RoleArn>): Parsed<RoleBinding> {
  const arnAt = text.lastIndexOf("=arn:");
  const split = arnAt >= 0 ? arnAt : text.lastIndexOf("=");
  if (split < 0) {
    return { problem: `${JSON.stringify(text)} names no role`, allowed: "SELECTOR=ROLE", example: "name:web=web-role" };
  }
  return parseBindingHalves(text.slice(0, split), text.slice(split + 1), aliases);
}

/**
 * Reads a binding whose halves are known: glued together and split again, a label's value that looks like a role would make another
 * selector and another role of them.
 */
export function parseBindingHalves(match: string, role: string, aliases: ReadonlyMap<string, RoleArn>): Parsed<RoleBinding> {
  const selector = parseSelector(match);
  if ("problem" in selector) return selector;
  const reference = parseRoleReference(role, aliases);
  if ("problem" in reference) return reference;
  const text = `${match}=${role}`;
  return { value: { selector: selector.value, role: reference.value, session: PLAIN_SESSION, requireImdsv2: undefined, text } };
}
