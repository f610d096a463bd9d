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

/** How long a call was held back before it was made, in whole milliseconds, and by what, as the event tells it. */
export interface Wait {
  readonly for: NonNullable<StsCallFacts["waitedFor"]>;
  readonly ms: number;
}

/** What its caller lends to a mint. */
export interface MintCall {
  readonly purpose: MintPurpose;
  /** Waits for leave to make one call to STS; undefined where it was not held back. Rejects when `signal` has aborted. */
  turn(): Promise<Wait | undefined>;
  /** Aborted when nobody wants the lease any more. */
  readonly signal: AbortSignal;
}

/** Asks STS for a new lease, a turn for each call. Rejects with STS_*, BASE_CREDENTIALS_UNAVAILABLE or HOST_FACTS_UNKNOWN. */
export type Mint = (grant: Grant, call: MintCall) => Promise<Lease>;

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
  return async (grant, call) => {
    const region = regionOf(parts.hostFacts());
    const mintFor = (durationSeconds: number) => assume(parts, { request: requestFor(grant, durationSeconds), region, ...call });
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

interface Ask extends MintCall {
  readonly request: AssumeRoleRequest;
  readonly region: string;
}

function isTooLong(error: unknown): boolean {
  return hasCode(error, "STS_INVALID") && /exceeds the 1 hour session limit|MaxSessionDuration/.test(error.message);
}

/**
 * Asks once; where STS refuses our own credentials, it is asked once more with others, or with the same loaded anew (docs/contract.md, S8).
 * No turn is taken without any, and those of a call are asked for after its turn: in the queue they may have grown old.
 */
async function assume(parts: MintParts, ask: Ask): Promise<Lease> {
  await loadTold(parts, ask, parts.base.current);
  let used: BaseCredentials | undefined;
  const current = async () => {
    used = await parts.base.current();
    return used;
  };
  try {
    return await callTold(parts, ask, current);
  } catch (error) {
    const refused = used;
    if (!refused || !hasCode(error, "STS_BASE_REFUSED")) throw error;
    const renewed = await loadTold(parts, ask, () => parts.base.renewed(refused));
    if (renewed === undefined) throw error;
    return await callTold(parts, ask, async () => renewed);
  }
}

/** A call that can not be made for want of credentials is told as one that failed. */
async function loadTold<T>(parts: MintParts, ask: Ask, load: () => Promise<T>): Promise<T> {
  const tell = teller(parts, ask, undefined);
  try {
    return await baseInTime(load, parts.clock, ask.signal);
  } catch (error) {
    tell({ error });
    throw error;
  }
}

async function callTold(parts: MintParts, ask: Ask, load: () => Promise<BaseCredentials>): Promise<Lease> {
  const tell = teller(parts, ask, await ask.turn());
  try {
    const base = await baseInTime(load, parts.clock, ask.signal);
    const lease = await callSts(parts, ask, base);
    tell({ lease });
    return lease;
  } catch (error) {
    tell({ error });
    throw error;
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
    // By our own clock, which may be behind that of STS: never longer than it was asked for (docs/contract.md, N4), in whole seconds as STS.
    expiresAt: Math.min(answer.expiresAt, Math.floor(now / 1_000 + request.durationSeconds) * 1_000),
  };
}

/**
 * Tells one call, which begins now, and how it ended; not one that was cut short since nobody wants it any more. Nor one for want of a Region: the event
 * host-facts-missing tells that, and each request may bring one.
 */
function teller({ clock, emit }: MintParts, { request, purpose, signal }: Ask, wait: Wait | undefined) {
  const startedAt = clock.now();
  const { roleArn, sessionName } = request;
  return ({ lease, error }: { readonly lease?: Lease; readonly error?: unknown }): void => {
    const waits = { waitedMs: wait?.ms ?? 0, waitedFor: wait?.for };
    const facts = { roleArn, sessionName, purpose, ...waits, durationMs: clock.now() - startedAt };
    if (lease) emit({ kind: "sts-call", ...facts, outcome: "ok", accessKeyId: lease.accessKeyId, message: undefined });
    if (!(error instanceof ImdsgateError) || signal.aborted) return;
    emit({ kind: "sts-call", ...facts, outcome: OUTCOMES[error.code] ?? "unavailable", accessKeyId: undefined, message: error.message });
  };
}

const OUTCOMES: Partial<Record<ErrorCode, StsCallFacts["outcome"]>> = {
  STS_DENIED: "denied",
  STS_INVALID: "invalid",
  STS_THROTTLED: "throttled",
  STS_BASE_REFUSED: "base-refused",
  STS_ANSWER_BAD: "answer-bad",
};
