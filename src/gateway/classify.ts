import type { DeniedPath } from "../policy/denied-path.ts";

/** The eleven classes of docs/contract.md, C8. */
export type RouteClass =
  | "PASS"
  | "TOKEN"
  | "META_LIST"
  | "IAM_ROOT"
  | "IAM_INFO"
  | "CRED_LIST"
  | "CRED_DOC"
  | "GUARD"
  | "DENY"
  | "AMBIGUOUS"
  | "BAD";

/** What a raw request target is, and which fate that means. */
export type Target =
  | { readonly fate: "malformed"; readonly class: "BAD" }
  | { readonly fate: "withheld"; readonly class: "GUARD" | "DENY" | "AMBIGUOUS" }
  | { readonly fate: "pass-through"; readonly class: "PASS" | "TOKEN" | "META_LIST"; readonly segments: readonly string[] }
  | { readonly fate: "intercepted"; readonly class: "IAM_ROOT"; readonly version: string }
  | { readonly fate: "intercepted"; readonly class: "IAM_INFO"; readonly version: string }
  | { readonly fate: "intercepted"; readonly class: "CRED_LIST"; readonly version: string }
  | { readonly fate: "intercepted"; readonly class: "CRED_DOC"; readonly version: string; readonly role: string };

const BAD: Target = { fate: "malformed", class: "BAD" };
const AMBIGUOUS: Target = { fate: "withheld", class: "AMBIGUOUS" };
const GUARD: Target = { fate: "withheld", class: "GUARD" };
const DENY: Target = { fate: "withheld", class: "DENY" };

const ABSOLUTE_FORM = /^http:\/\/(?:169\.254\.169\.254|\[fd00:ec2::254\])(?::80)?(?=[/?]|$)/i;

/**
 * Tells what a raw request target asks for (docs/contract.md, C1 to C10). It decides on the canonical path; what is
 * forwarded is always the raw target. No library parses the target: those resolve dots and backslashes.
 */
export function classify(rawTarget: string, deniedPaths: readonly DeniedPath[]): Target {
  if (!/^[\x21\x22\x24-\x7e]+$/.test(rawTarget)) return BAD;
  const target = rawTarget.replace(ABSOLUTE_FORM, "");
  const isAbsolute = target.length < rawTarget.length;
  if (!target.startsWith("/") && !(isAbsolute && (target === "" || target.startsWith("?")))) return BAD;
  const [rawPath = ""] = target.split("?", 1);
  const path = decodeOnce(rawPath);
  if (path === "malformed") return BAD;
  const segments = path?.split("/").filter((segment) => segment !== "");
  if (!segments || segments.some((segment) => segment === "." || segment === "..")) return AMBIGUOUS;
  return classOf(segments, deniedPaths);
}

/** The path with `%XX` decoded once (C5); undefined where one path could be read as two (C4, C5). */
function decodeOnce(rawPath: string): string | "malformed" | undefined {
  let isAmbiguous = /[\\;]/.test(rawPath);
  let isMalformed = /%(?![0-9A-Fa-f]{2})/.test(rawPath);
  const path = rawPath.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    if (byte < 0x20 || byte >= 0x7f) isMalformed = true;
    const character = String.fromCharCode(byte);
    if ("/\\%;?# ".includes(character)) isAmbiguous = true;
    return character;
  });
  if (isMalformed) return "malformed";
  return isAmbiguous ? undefined : path;
}

/** C8, in its order. */
function classOf(segments: readonly string[], deniedPaths: readonly DeniedPath[]): Target {
  const lower = segments.map((segment) => segment.toLowerCase());
  const isIamTree = segments[1] === "meta-data" && segments[2] === "iam";
  const isCredentialsTree = isIamTree && segments[3] === "security-credentials";
  if (lower.some((segment) => segment.startsWith("identity-credentials"))) return DENY;
  if (lower.some((segment, k) => segment.startsWith("security-credentials") && !(isCredentialsTree && k >= 3))) return GUARD;
  if (lower.some((segment, k) => segment === "meta-data" && lower[k + 1]?.startsWith("iam") && !(isIamTree && k === 1))) return GUARD;
  if (isIamTree) return iamTarget(segments);
  if (deniedPaths.some((denied) => denied.every((part, k) => lower[k + 1] === part))) return DENY;
  return { fate: "pass-through", class: passClass(segments), segments };
}

function iamTarget([version = "", , , kind, role]: readonly string[]): Target {
  if (kind === undefined) return { fate: "intercepted", class: "IAM_ROOT", version };
  if (kind === "info") return { fate: "intercepted", class: "IAM_INFO", version };
  if (kind !== "security-credentials") return GUARD;
  if (role === undefined) return { fate: "intercepted", class: "CRED_LIST", version };
  return { fate: "intercepted", class: "CRED_DOC", version, role };
}

function passClass(segments: readonly string[]): "PASS" | "TOKEN" | "META_LIST" {
  if (segments.at(-2) === "api" && segments.at(-1) === "token") return "TOKEN";
  return segments.length === 2 && segments[1] === "meta-data" ? "META_LIST" : "PASS";
}
