import type { StsFault } from "./sts-constraint.ts";
import { accessDenied, expiredToken, faultIn, type StsState } from "./sts-faults.ts";
import { type AssumeRoleParameters, isStsFault, parseAssumeRole } from "./sts-parameters.ts";
import type { Caller, Sessions } from "./sts-sessions.ts";
import { assumeRoleXml, callerIdentityXml, errorXml } from "./sts-xml.ts";

/** Whether `callerArn` may assume a role. */
export type Assumable = (callerArn: string, roleArn: string, externalId: string | undefined) => boolean;

/** What STS knows when it answers one call. */
export interface StsKnowledge {
  readonly sessions: Sessions;
  /** Who calls with keys that were not issued here. */
  readonly baseCallerArn: string;
  readonly assumable: Assumable;
  readonly state: StsState;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** `Expiration` with `.123` seconds. */
  readonly hasFraction: boolean;
  /** How long every session lasts; undefined for as long as its caller asks. */
  readonly lifeSeconds: number | undefined;
  readonly requestId: string;
}

/** An answer to one call, and who asked. `outcome` is `ok` or the code of the error. */
export interface StsAnswer {
  readonly status: number;
  readonly xml: string;
  readonly outcome: string;
  readonly callerArn: string;
}

/** A call that was signed in time may arrive a moment too late. */
const GRACE_MS = 2_000;
const UNSIGNED: StsFault = { status: 403, code: "MissingAuthenticationToken", message: "Request is missing Authentication Token" };

/** Answers a call of the query protocol. The signature in `authorization` names the caller; it is not verified. */
export function answerCall(parameters: URLSearchParams, authorization: string, sts: StsKnowledge): StsAnswer {
  const accessKeyId = /Credential=([^/]+)\//.exec(authorization)?.[1];
  const base = { arn: sts.baseCallerArn, isSession: sts.baseCallerArn.includes(":assumed-role/"), endsAt: Number.POSITIVE_INFINITY };
  const caller = sts.sessions.callerOf(accessKeyId ?? "") ?? base;
  const result = accessKeyId === undefined ? UNSIGNED : resultOf(parameters, caller, sts);
  if (typeof result === "string") return { status: 200, xml: result, outcome: "ok", callerArn: caller.arn };
  const xml = errorXml(result.code, result.message, sts.requestId);
  return { status: result.status, xml, outcome: result.code, callerArn: caller.arn };
}

function resultOf(parameters: URLSearchParams, caller: Caller, sts: StsKnowledge): string | StsFault {
  if (sts.now > caller.endsAt + GRACE_MS) return expiredToken();
  const action = parameters.get("Action") ?? "";
  if (action === "AssumeRole") return assumeRole(parameters, caller, sts);
  if (action === "GetCallerIdentity") return identityXml(caller.arn, sts.requestId);
  const message = `Could not find operation ${action} for version ${parameters.get("Version") ?? "NO_VERSION_SPECIFIED"}`;
  return { status: 400, code: "InvalidAction", message };
}

function assumeRole(parameters: URLSearchParams, caller: Caller, sts: StsKnowledge): string | StsFault {
  const parsed = parseAssumeRole(parameters, caller.isSession);
  if (isStsFault(parsed)) return parsed;
  const fault = faultIn(sts.state, caller.arn, parsed);
  if (fault) return fault;
  if (!sts.assumable(caller.arn, parsed.roleArn, parsed.externalId)) return accessDenied(caller.arn, parsed.roleArn);
  return grantXml(parsed, sts);
}

function grantXml(parameters: AssumeRoleParameters, sts: StsKnowledge): string {
  const { roleArn, partition, account, roleName, sessionName, sourceIdentity, durationSeconds } = parameters;
  const assumedRoleArn = `arn:${partition}:sts::${account}:assumed-role/${roleName}/${sessionName}`;
  const endsAt = sts.now + (sts.lifeSeconds ?? durationSeconds) * 1000;
  const expiration = `${new Date(endsAt).toISOString().slice(0, 19)}${sts.hasFraction ? ".123" : ""}Z`;
  const credentials = sts.sessions.issue(roleArn, assumedRoleArn, endsAt);
  const assumedRoleId = `AROAEMBEDDEDSTS000001:${sessionName}`;
  return assumeRoleXml({ credentials, expiration, assumedRoleId, assumedRoleArn, sourceIdentity }, sts.requestId);
}

function identityXml(arn: string, requestId: string): string {
  const account = arn.split(":")[4] ?? "";
  const sessionName = arn.split("/")[2];
  const userId = sessionName === undefined ? account : `AROAEMBEDDEDSTS000001:${sessionName}`;
  return callerIdentityXml({ arn, account, userId }, requestId);
}
