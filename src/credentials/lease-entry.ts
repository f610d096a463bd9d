import { type Cancel, hasPassed } from "../clock.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Grant } from "../policy/decide.ts";
import { backoffMs } from "./backoff.ts";
import type { Flight } from "./flight.ts";
import { type Lease, type LeaseOutcome, type LeaseState, leaseKey, leaseState, renewalAt } from "./lease.ts";
import type { Urgency } from "./sts-budget.ts";

/** All that is known of one key. Its lease is served under this key alone. Times in milliseconds since the epoch. */
export interface LeaseEntry {
  readonly key: string;
  readonly grant: Grant;
  lease: Lease | undefined;
  /** The lease's place in the spread of renewals: a number in [0, 1). */
  jitter: number;
  /** The one under way. */
  flight: Flight | undefined;
  /** Requests that wait for it and have no lease to be served meanwhile. */
  waiters: number;
  /** Failed flights in a row. */
  failures: number;
  /** When the last one failed. No flight begins within `backoffMs` of that. */
  failedAt: number;
  backoffMs: number;
  /** When STS said no; undefined when its last word was another. */
  deniedAt: number | undefined;
  cancelTimer: Cancel;
}

/** A denial is remembered for a minute, so that a mended trust policy shows within one (docs/contract.md, S11). */
const DENIAL_MS = 60_000;

/** The entry of a grant that nothing was done for yet. */
export function newEntry(grant: Grant): LeaseEntry {
  const nothing = {
    lease: undefined,
    jitter: 0,
    flight: undefined,
    waiters: 0,
    failures: 0,
    failedAt: 0,
    backoffMs: 0,
    deniedAt: undefined,
  };
  return { key: leaseKey(grant), grant, ...nothing, cancelTimer() {} };
}

/** What may be done with the entry's lease; none at all is as good as an expired one. */
export function stateOf(entry: LeaseEntry, now: number): LeaseState {
  return entry.lease ? leaseState(entry.lease, now, paceOf(entry)) : "expired";
}

/**
 * How much the entry's flight is wanted at `now`. None waits for ever: a renewal rises within minutes, when its lease is short, and a
 * prefetch as soon as it is asked for.
 */
export function urgencyOf(entry: LeaseEntry, now: number): Urgency {
  if (entry.waiters > 0) return "request";
  switch (stateOf(entry, now)) {
    case "short":
      return "short";
    case "expired":
      return "prefetch";
    default:
      return "renewal";
  }
}

/** What a request gets at `now`. */
export function outcomeOf(entry: LeaseEntry, now: number): LeaseOutcome {
  if (entry.lease && stateOf(entry, now) !== "expired") return { kind: "lease", lease: entry.lease };
  const { deniedAt } = entry;
  return deniedAt !== undefined && !hasPassed(deniedAt, DENIAL_MS, now) ? { kind: "denied", deniedAt } : { kind: "unavailable" };
}

/** When the next flight should begin unasked; undefined where it waits for a request: never tried, or refused for good. */
export function nextFlightAt(entry: LeaseEntry, now: number): number | undefined {
  if (entry.lease && stateOf(entry, now) !== "expired") return Math.max(renewalAt(entry.lease, paceOf(entry)), retryAt(entry, now));
  return entry.failures === 0 || entry.deniedAt !== undefined ? undefined : retryAt(entry, now);
}

/** Before this time no flight begins; `now` or earlier where the last failure forbids none. */
export function retryAt({ failedAt, backoffMs: waitMs }: LeaseEntry, now: number): number {
  return hasPassed(failedAt, waitMs, now) ? Math.min(now, failedAt + waitMs) : failedAt + waitMs;
}

/** Takes in the lease that a flight brought. */
export function noteLease(entry: LeaseEntry, lease: Lease, jitter: number): void {
  entry.lease = lease;
  entry.jitter = jitter;
  entry.failures = 0;
  entry.failedAt = 0;
  entry.backoffMs = 0;
  entry.deniedAt = undefined;
}

/**
 * Takes in a flight's failure. The lease stays: an unexpired one is served whatever STS says now (docs/contract.md, 11). A flight that
 * did not begin, since the Region is not known yet, is none: it leaves nothing to wait for.
 */
export function noteFailure(entry: LeaseEntry, error: unknown, now: number, random: () => number): void {
  if (hasCode(error, "HOST_FACTS_UNKNOWN")) return;
  const isDenied = error instanceof ImdsgateError && (error.code === "STS_DENIED" || error.code === "STS_INVALID");
  entry.failures += 1;
  entry.deniedAt = isDenied ? now : undefined;
  entry.backoffMs = isDenied ? DENIAL_MS : backoffMs(entry.failures, random);
  entry.failedAt = now;
}

function paceOf({ grant, jitter }: LeaseEntry) {
  return { lifeMs: grant.durationSeconds * 1_000, jitter };
}
