import type { RoleRefusedFacts } from "../events.ts";
import { parseRoleArn } from "../policy/role-arn.ts";

/** How imdsgate means to assume a role. */
export interface RoleUse {
  readonly roleArn: string;
  readonly externalId: string | undefined;
  readonly hasTags: boolean;
  readonly hasSourceIdentity: boolean;
}

/** Who calls, as a trust policy names him. */
interface Principal {
  readonly arn: string;
  readonly account: string | undefined;
  readonly hint: string;
}

/** Who is to be named where GetCallerIdentity did not answer. */
const PLACEHOLDER = "ARN-OF-IMDSGATE";

/**
 * What an operator adds so that `callerArn` (as GetCallerIdentity names it; undefined where that is not known) may assume a role: exact
 * statements, as JSON, and what to look at in them. Tags and a source identity have actions of their own (docs/contract.md, S3, S4).
 */
export function trustAdviceFor(use: RoleUse, callerArn: string | undefined): RoleRefusedFacts {
  const principal = principalOf(callerArn);
  const actions = actionsOf(use);
  return {
    roleArn: use.roleArn,
    callerArn: principal.account === undefined ? undefined : callerArn,
    trustStatements: JSON.stringify(trustStatementsFor(use, principal.arn, actions)),
    identityStatement: isForeign(use, principal)
      ? JSON.stringify({ Effect: "Allow", Action: oneOrMany(actions), Resource: use.roleArn })
      : undefined,
    hint: hintFor(use, principal),
  };
}

function actionsOf({ hasTags, hasSourceIdentity }: RoleUse): readonly string[] {
  return ["sts:AssumeRole", ...(hasTags ? ["sts:TagSession"] : []), ...(hasSourceIdentity ? ["sts:SetSourceIdentity"] : [])];
}

/** The external id belongs to sts:AssumeRole alone: a statement on another action that asks for it would never match. */
function trustStatementsFor({ externalId }: RoleUse, principalArn: string, actions: readonly string[]): readonly object[] {
  const allow = (some: readonly string[]) => ({ Effect: "Allow", Principal: { AWS: principalArn }, Action: oneOrMany(some) });
  if (externalId === undefined) return [allow(actions)];
  const [assume = "", ...others] = actions;
  const guarded = { ...allow([assume]), Condition: { StringEquals: { "sts:ExternalId": externalId } } };
  return others.length === 0 ? [guarded] : [guarded, allow(others)];
}

/** A session stands for its role: sessions come and go, and a trust policy that named one would hold for that one alone. */
function principalOf(callerArn: string | undefined): Principal {
  const [, partition, service, account, resource = ""] =
    /^arn:(aws[a-z-]*):(iam|sts)::(\d{12}):([\x21-\x7e]+)$/.exec(callerArn ?? "") ?? [];
  if (callerArn === undefined || partition === undefined) {
    return {
      arn: PLACEHOLDER,
      account: undefined,
      hint: `In the place of ${PLACEHOLDER} comes the ARN of imdsgate's own role or user, not that of a session; it follows from: aws sts get-caller-identity.`,
    };
  }
  const [, role] = service === "sts" ? (/^assumed-role\/([\w+=,.@-]+)\/[^/]+$/.exec(resource) ?? []) : [];
  if (role !== undefined) {
    return {
      arn: `arn:${partition}:iam::${account}:role/${role}`,
      account,
      hint: `A session's ARN leaves out the path of its role: if that has one, the principal is what this shows: aws iam get-role --role-name ${role} --query Role.Arn.`,
    };
  }
  if (resource === "root")
    return { arn: callerArn, account, hint: "The root user of an account can assume no role: give imdsgate other keys." };
  return { arn: callerArn, account, hint: "" };
}

function isForeign({ roleArn }: RoleUse, { account }: Principal): boolean {
  const role = parseRoleArn(roleArn);
  return account !== undefined && "value" in role && role.value.account !== account;
}

function hintFor(use: RoleUse, principal: Principal): string {
  const otherwise =
    use.externalId === undefined
      ? "If it is there already, look for an external id that it asks for, a Deny, a permissions boundary or an SCP."
      : "If it is there already, look for a Deny, a permissions boundary or an SCP.";
  const foreign = isForeign(use, principal) ? "The role is in another account, so the caller's own policies have to allow it too." : "";
  return [principal.hint, foreign, otherwise].filter((sentence) => sentence !== "").join(" ");
}

function oneOrMany(actions: readonly string[]): string | readonly string[] {
  const [only = "", ...others] = actions;
  return others.length === 0 ? only : actions;
}
