import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { type ErrorCode, hasCode, ImdsgateError } from "../errors.ts";
import type { Emit, StsCallFacts } from "../events.ts";
import type { Grant, HostFacts } from "../policy/decide.ts";
import { type AssumeRoleRequest, type BaseCredentials, requestFor, type Sts } from "./assume-role.ts";
import { type BaseCredentialSource, baseInTime } from "./base-credentials.ts";
import type { Lease } from "./lease.ts";
import { answerProblem } from "./sts-answer.ts";

export type MintPurpose = StsCallFacts["purpose"];

/** Asks STS for a new lease. Rejects with STS_*, BASE_CREDENTIALS_UNAVAILABLE or HOST_FACTS_UNKNOWN. */
export type Mint = (grant: Grant, purpose: MintPurpose, signal: AbortSignal) => Promise<Lease>;

export interface MintParts {
  readonly sts: Sts;
  readonly base: BaseCredentialSource;
  readonly hostFacts: () => HostFacts;
  readonly clock: Clock;
  readonly emit: Emit;
}

const CALL_MS = 5_000;
const ONE_HOUR_SECONDS = 3_600;

/** Makes leases. Roles that STS gives no more than an hour are remembered, so that each costs one refused call (docs/contract.md, S1). */
export function createMint(parts: MintParts): Mint {
  const oneHourRoles = new Set<string>();
  return async (grant, purpose, signal) => {
    const region = regionOf(parts.hostFacts());
    const mintFor = (durationSeconds: number) => assume(parts, { request: requestFor(grant, durationSeconds), region, purpose, signal });
    const isCapped = oneHourRoles.has(grant.role.arn);
    try {
      return await mintFor(isCapped ? Math.min(grant.durationSeconds, ONE_HOUR_SECONDS) : grant.durationSeconds);
    } catch (error) {
      if (isCapped || grant.durationSeconds <= ONE_HOUR_SECONDS || !isTooLong(error)) throw error;
      oneHourRoles.add(grant.role.arn);
      return await mintFor(ONE_HOUR_SECONDS);
    }
  };
}

function regionOf({ region }: HostFacts): string {
  if (region !== undefined) return region;
  throw new ImdsgateError("HOST_FACTS_UNKNOWN", "the Region is not known yet, so STS can not be asked; set --region or check --upstream");
}

interface Ask {
  readonly request: AssumeRoleRequest;
  readonly region: string;
  readonly purpose: MintPurpose;
  readonly signal: AbortSignal;
}

function isTooLong(error: unknown): boolean {
  return hasCode(error, "STS_INVALID") && /exceeds the 1 hour session limit|MaxSessionDuration/.test(error.message);
}

/** Asks once; where STS refuses our own credentials they are loaded anew and it is asked once more (docs/contract.md, S8). */
async function assume(parts: MintParts, ask: Ask): Promise<Lease> {
  let used: BaseCredentials | undefined;
  const askWith = (load: () => Promise<BaseCredentials>) =>
    told(parts, ask, async () => {
      used = await baseInTime(load, parts.clock, ask.signal);
      return await callSts(parts, ask, used);
    });
  try {
    return await askWith(() => parts.base.current());
  } catch (error) {
    const refused = used;
    if (!refused || !hasCode(error, "STS_BASE_REFUSED")) throw error;
    return await askWith(() => parts.base.renewed(refused));
  }
}

async function callSts({ sts, clock }: MintParts, { request, region, signal }: Ask, base: BaseCredentials): Promise<Lease> {
  const late = () => new ImdsgateError("STS_UNAVAILABLE", `AssumeRole for ${request.roleArn} had no answer within ${CALL_MS / 1_000} s`);
  const answer = await withDeadline({ clock, ms: CALL_MS, signal, late }, (ended) => sts.assumeRole(request, base, region, ended));
  const now = clock.now();
  const problem = answerProblem(answer, request, now);
  if (problem) throw new ImdsgateError("STS_ANSWER_BAD", `the answer of STS for ${request.roleArn} is not used: ${problem}`);
  return {
    roleArn: request.roleArn,
    sessionName: request.sessionName,
    sourceIdentity: request.sourceIdentity,
    accessKeyId: answer.accessKeyId,
    secretAccessKey: answer.secretAccessKey,
    sessionToken: answer.sessionToken,
    issuedAt: now,
    expiresAt: answer.expiresAt,
  };
}

/**
 * Tells each call and how it ended; one that could not be made for want of credentials is told as unavailable, one that a stop cut
 * short is not told. Nor is one for want of a Region: the event host-facts-missing tells that, and each request may bring one.
 */
async function told({ clock, emit }: MintParts, { request, purpose, signal }: Ask, act: () => Promise<Lease>): Promise<Lease> {
  const startedAt = clock.now();
  const tell = (outcome: StsCallFacts["outcome"], accessKeyId: string | undefined, message: string | undefined) => {
    const { roleArn, sessionName } = request;
    emit({ kind: "sts-call", roleArn, sessionName, outcome, purpose, durationMs: clock.now() - startedAt, accessKeyId, message });
  };
  try {
    const lease = await act();
    tell("ok", lease.accessKeyId, undefined);
    return lease;
  } catch (error) {
    if (error instanceof ImdsgateError && !signal.aborted) tell(OUTCOMES[error.code] ?? "unavailable", undefined, error.message);
    throw error;
  }
}

const OUTCOMES: Partial<Record<ErrorCode, StsCallFacts["outcome"]>> = {
  STS_DENIED: "denied",
  STS_INVALID: "invalid",
  STS_THROTTLED: "throttled",
  STS_BASE_REFUSED: "base-refused",
  STS_ANSWER_BAD: "answer-bad",
};
