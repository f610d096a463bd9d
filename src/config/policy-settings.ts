import { hostname } from "node:os";
import { ImdsgateError } from "../errors.ts";
import { type Parsed, type Problem, parsedOrThrow } from "../parsed.ts";
import type { Policy } from "../policy/decide.ts";
import { parseRoleAlias, parseRoleReference, type RoleArn } from "../policy/role-arn.ts";
import { parseBindingHalves, parseRoleBinding, type RoleBinding } from "../policy/role-binding.ts";
import { PLAIN_SESSION, type SessionPlan } from "../policy/session.ts";
import { parseDuration, parseExternalId } from "../policy/session-limits.ts";
import { parseSessionName } from "../policy/session-name.ts";
import { parsePolicyArn, parseSessionPolicy, policyArnsProblem } from "../policy/session-policy.ts";
import { defaultSessionName, inScope, type SessionScope } from "../policy/session-scope.ts";
import { parseTagKey, parseTagValue, type TagPlan, tagSetProblem } from "../policy/session-tags.ts";
import { parseSourceIdentity } from "../policy/source-identity.ts";
import type { BindingExtras } from "./binding-entry.ts";
import { parseSwitch } from "./places.ts";
import { choiceOf, listOf, oneOf, parsed, switchOf, textOf } from "./read-settings.ts";
import type { Setting } from "./setting.ts";
import type { Settings } from "./settings.ts";

/** Reads what the operator decided about roles and sessions. Throws CONFIG_INVALID. */
export function policyFrom(settings: Settings): Policy {
  const aliases = new Map<string, RoleArn>();
  for (const { alias, role } of listOf(settings, "role", parseRoleAlias)) {
    if (aliases.has(alias)) throw new ImdsgateError("CONFIG_INVALID", `--role: the alias ${JSON.stringify(alias)} is given twice`);
    aliases.set(alias, role);
  }
  const idPairs = listOf(settings, "external-id", parseRoleAndId);
  const externalIds = new Map(idPairs);
  if (externalIds.size < idPairs.length)
    throw new ImdsgateError("CONFIG_INVALID", "--external-id: a role is given two external ids; give it one");
  const scope = choiceOf(settings, "session-scope", ["container", "role"]);
  return {
    bindings: (settings.get("bind") ?? []).map((setting) => bindingFrom(setting, aliases, scope)),
    defaultRole:
      textOf(settings, "default-role") === "none"
        ? undefined
        : oneOf(settings, "default-role", (text) => parseRoleReference(text, aliases)),
    sessionName: oneOf(settings, "session-name", inScope(scope, parseSessionName)) ?? defaultSessionName(scope),
    durationSeconds: oneOf(settings, "duration", parseDuration) ?? 3_600,
    externalIds,
    host: hostname(),
    requireImdsv2: switchOf(settings, "require-imdsv2"),
  };
}

function bindingFrom(setting: Setting, aliases: ReadonlyMap<string, RoleArn>, scope: SessionScope): RoleBinding {
  const { entry } = setting;
  if (!entry) return parsed(setting, (text) => parseRoleBinding(text, aliases));
  const { match, role, extras } = entry;
  const binding = parsed(setting, () => parseBindingHalves(match, role, aliases));
  return { ...binding, session: sessionPlanFrom(extras, scope), requireImdsv2: maybe(extras.requireImdsv2, parseSwitch) };
}

function sessionPlanFrom(extras: BindingExtras, scope: SessionScope): SessionPlan {
  return {
    ...PLAIN_SESSION,
    externalId: maybe(extras.externalId, parseExternalId),
    sessionName: maybe(extras.sessionName, inScope(scope, parseSessionName)),
    sourceIdentity: maybe(extras.sourceIdentity, inScope(scope, parseSourceIdentity)),
    tags: tagsFrom(extras, scope),
    policy: maybe(extras.policy, parseSessionPolicy),
    policyArns: policyArnsFrom(extras.policyArns),
    durationSeconds: maybe(extras.duration, parseDuration),
  };
}

function tagsFrom({ tags, transitiveTagKeys }: BindingExtras, scope: SessionScope): readonly TagPlan[] {
  const transitive = transitiveTagKeys.map(({ text }) => text);
  const plans = tags.map(({ key, value }) => ({
    key: parsed({ ...value, text: key }, parseTagKey),
    template: parsed(value, inScope(scope, parseTagValue)),
    isTransitive: transitive.includes(key),
  }));
  const keys = plans.map(({ key }) => key);
  refuse(tags.at(0)?.value, tagSetProblem(keys, []));
  refuse(transitiveTagKeys.at(0), tagSetProblem(keys, transitive));
  return plans;
}

function policyArnsFrom(settings: readonly Setting[]): readonly string[] {
  const arns = settings.map((setting) => parsed(setting, parsePolicyArn));
  refuse(settings.at(0), policyArnsProblem(arns));
  return arns;
}

/** Throws what is wrong with several settings together, at the place of the first one. */
function refuse(first: Setting | undefined, problem: Problem | undefined): void {
  if (first && problem) parsedOrThrow(first.origin, problem);
}

function maybe<T>(setting: Setting | undefined, parse: (text: string) => Parsed<T>): T | undefined {
  return setting && parsed(setting, parse);
}

/** `ROLE=ID`: the role ends at the first `=`; one whose name holds `=` needs an alias. */
function parseRoleAndId(text: string): Parsed<readonly [string, string]> {
  const split = text.indexOf("=");
  const id = parseExternalId(text.slice(split + 1));
  if (split <= 0)
    return {
      problem: `${JSON.stringify(text)} names no role`,
      allowed: "ROLE=ID, the role as the binding names it",
      example: "app=partner-7f3a",
    };
  return "problem" in id ? id : { value: [text.slice(0, split), id.value] };
}
