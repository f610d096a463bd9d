import type { Cancel } from "../clock.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Grant } from "../policy/decide.ts";
import { backoffMs } from "./backoff.ts";
import { type Lease, type LeaseOutcome, type LeaseState, leaseKey, leaseState, renewalAt } from "./lease.ts";

/** All that is known of one key. Its lease is served under this key alone. Times in milliseconds since the epoch. */
export interface LeaseEntry {
  readonly key: string;
  readonly grant: Grant;
  lease: Lease | undefined;
  /** The lease's place in the spread of renewals: a number in [0, 1). */
  jitter: number;
  /** The one call under way, retries included; it never rejects. */
  flight: Promise<void> | undefined;
  /** Failed flights in a row. */
  failures: number;
  /** When the last flight failed. */
  failedAt: number;
  /** No flight begins before this time. */
  retryAt: number;
  /** When STS said no; undefined when its last word was another. */
  deniedAt: number | undefined;
  /** How many requests wait for the flight. */
  waiters: number;
  /** Aborted when nobody needs the lease any more: a flight that waits for its turn ends. */
  readonly dropped: AbortController;
  cancelTimer: Cancel;
}

/** A denial is remembered for a minute, so that a mended trust policy shows within one (docs/contract.md, S11). */
const DENIAL_MS = 60_000;

/** The entry of a grant that nothing was done for yet. */
export function newEntry(grant: Grant): LeaseEntry {
  const nothing = { lease: undefined, jitter: 0, flight: undefined, failures: 0, failedAt: 0, retryAt: 0, deniedAt: undefined };
  return { key: leaseKey(grant), grant, ...nothing, waiters: 0, dropped: new AbortController(), cancelTimer() {} };
}

/** What may be done with the entry's lease; none at all is as good as an expired one. */
export function stateOf(entry: LeaseEntry, now: number): LeaseState {
  return entry.lease ? leaseState(entry.lease, now, paceOf(entry)) : "expired";
}

/** What a request gets at `now`. */
export function outcomeOf(entry: LeaseEntry, now: number): LeaseOutcome {
  if (entry.lease && stateOf(entry, now) !== "expired") return { kind: "lease", lease: entry.lease };
  const { deniedAt } = entry;
  return deniedAt !== undefined && now < deniedAt + DENIAL_MS ? { kind: "denied", deniedAt } : { kind: "unavailable" };
}

/** When the next flight should begin unasked; undefined where it waits for a request: never tried, or refused for good. */
export function nextFlightAt(entry: LeaseEntry, now: number): number | undefined {
  if (entry.lease && stateOf(entry, now) !== "expired") return Math.max(renewalAt(entry.lease, paceOf(entry)), entry.retryAt);
  return entry.failures === 0 || entry.deniedAt !== undefined ? undefined : entry.retryAt;
}

/** Takes in the lease that a flight brought. */
export function noteLease(entry: LeaseEntry, lease: Lease, jitter: number): void {
  entry.lease = lease;
  entry.jitter = jitter;
  entry.failures = 0;
  entry.retryAt = 0;
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
  entry.failedAt = now;
  entry.deniedAt = isDenied ? now : undefined;
  entry.retryAt = now + (isDenied ? DENIAL_MS : backoffMs(entry.failures, random));
}

function paceOf({ grant, jitter }: LeaseEntry) {
  return { lifeMs: grant.durationSeconds * 1_000, jitter };
}
