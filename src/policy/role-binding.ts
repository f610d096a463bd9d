import { isIP } from "node:net";
import { canonicalAddress } from "../address.ts";
import type { Parsed, Problem } from "../parsed.ts";
import { parseRoleReference, type RoleArn, type RoleReference } from "./role-arn.ts";
import { PLAIN_SESSION, type SessionPlan } from "./session.ts";

/** Which workloads a binding is for. Patterns are anchored globs of `*` and `?`. */
export type Selector =
  | { readonly kind: "name"; readonly pattern: string }
  | { readonly kind: "image"; readonly pattern: string }
  | { readonly kind: "label"; readonly key: string; readonly pattern: string }
  | { readonly kind: "ip"; readonly block: string }
  | { readonly kind: "compose"; readonly project: string; readonly service: string };

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

/** Reads a selector: `name:`, `image:`, `label:K=V`, `ip:CIDR` or `compose:PROJECT/SERVICE`. */
function parseSelector(text: string): Parsed<Selector> {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  switch (text.slice(0, Math.max(colon, 0))) {
    case "name":
      return parseName(rest);
    case "image":
      return parseImage(rest);
    case "label":
      return parseLabel(rest);
    case "ip":
      return parseBlock(rest);
    case "compose":
      return parseCompose(rest);
    default:
      return {
        problem: `${JSON.stringify(text)} is no selector`,
        allowed: "name:, image:, label:K=V, ip:CIDR or compose:PROJECT/SERVICE",
        example: "name:web=web-role",
      };
  }
}

function parseName(pattern: string): Parsed<Selector> {
  if (/^[\w.*?-]+$/.test(pattern)) return { value: { kind: "name", pattern } };
  return badPattern(
    pattern,
    "the name of a container",
    'letters, digits and _.- without a leading "/", with * and ? as wildcards',
    "name:web-*=web-role",
  );
}

function parseImage(pattern: string): Parsed<Selector> {
  if (/^[\w.*?:/@-]+$/.test(pattern)) return { value: { kind: "image", pattern } };
  return badPattern(
    pattern,
    "an image",
    "the image as the container was created with, * and ? as wildcards",
    "image:registry.example.com/web:*=web-role",
  );
}

function parseLabel(text: string): Parsed<Selector> {
  const end = text.indexOf("=");
  const key = text.slice(0, Math.max(end, 0));
  const pattern = text.slice(end + 1);
  if (/^[^\s*?]+$/.test(key) && pattern !== "") return { value: { kind: "label", key, pattern } };
  return badPattern(
    text,
    "a label and its value",
    "label:KEY=VALUE, with * and ? as wildcards in the value",
    "label:team=payments=payments-role",
  );
}

function parseCompose(text: string): Parsed<Selector> {
  const parts = /^([\w.*?-]+)\/([\w.*?-]+)$/.exec(text);
  const [, project = "", service = ""] = parts ?? [];
  if (parts) return { value: { kind: "compose", project, service } };
  return badPattern(text, "a Compose service", "compose:PROJECT/SERVICE, with * and ? as wildcards", "compose:shop/web=web-role");
}

/** A single address is the block that holds it alone. */
function parseBlock(text: string): Parsed<Selector> {
  const parts = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  const [, base = "", bits] = parts ?? [];
  const address = canonicalAddress(base);
  const width = isIP(base) === 6 ? 128 : 32;
  // An IPv4 address in IPv6 spelling has two readings of its prefix length.
  if (address === undefined || isIP(address) !== isIP(base) || Number(bits ?? 0) > width) {
    return badPattern(
      text,
      "an address or a block of addresses",
      "ip:ADDRESS or ip:ADDRESS/BITS, IPv4 or IPv6",
      "ip:172.20.0.0/16=web-role",
    );
  }
  return { value: { kind: "ip", block: `${address}/${bits ?? width}` } };
}

function badPattern(text: string, what: string, allowed: string, example: string): Problem {
  return { problem: `${JSON.stringify(text)} is not ${what}`, allowed, example };
}
