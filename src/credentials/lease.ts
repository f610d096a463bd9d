import type { Grant } from "../policy/decide.ts";

/** Credentials of an assumed role, with an end. All times in milliseconds since the epoch. */
export interface Lease {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly sourceIdentity: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** When the answer of STS arrived. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What asking for a lease can end in. */
export type LeaseOutcome =
  | { readonly kind: "lease"; readonly lease: Lease }
  /** STS said no for good (docs/contract.md, X1, X2). `deniedAt` is the time of that answer. */
  | { readonly kind: "denied"; readonly deniedAt: number }
  /** No usable credentials now (docs/contract.md, X3 to X5). */
  | { readonly kind: "unavailable" };

/** fresh: serve. due: serve, renew behind. short: renew first, serve if that fails. expired: never serve. */
export type LeaseState = "fresh" | "due" | "short" | "expired";

/** How early a lease is renewed: the life that was asked for, and its own place in the spread, a number in [0, 1). */
export interface LeasePace {
  readonly lifeMs: number;
  readonly jitter: number;
}

type Span = Pick<Lease, "issuedAt" | "expiresAt">;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DUE_MS = 33 * MINUTE;
const DUE_SPREAD_MS = 3 * MINUTE;
const SHORT_MS = 26 * MINUTE;
/** A client still has to sign and send with what it gets (docs/contract.md, N3). */
const LAST_MS = 1_000;
const YOUNG_MS = MINUTE;

/**
 * What may be done with a lease at `now` (docs/contract.md, N1 to N4). Of an hour it is due with 33 to 36 minutes left and short
 * with less than 26; a shorter life has the same shares, a longer one the same minutes. Younger than a minute it is never renewed.
 */
export function leaseState(lease: Span, now: number, pace: LeasePace): LeaseState {
  const leftMs = lease.expiresAt - now;
  if (leftMs < LAST_MS) return "expired";
  if (now < renewalAt(lease, pace)) return "fresh";
  return leftMs < SHORT_MS * scaleOf(pace) ? "short" : "due";
}

/** When a lease becomes due. */
export function renewalAt(lease: Span, pace: LeasePace): number {
  const dueMs = (DUE_MS + pace.jitter * DUE_SPREAD_MS) * scaleOf(pace);
  return Math.max(lease.expiresAt - dueMs, lease.issuedAt + YOUNG_MS);
}

/**
 * One text per different session: two grants that differ in anything STS is asked for never share it (docs/contract.md, S7). In which
 * order tags and policies stand makes no difference.
 */
export function leaseKey({ role, policyArns, tags, ...facts }: Grant): string {
  return JSON.stringify([
    role.arn,
    facts.sessionName,
    facts.externalId ?? null,
    facts.sourceIdentity ?? null,
    facts.durationSeconds,
    facts.policy ?? null,
    policyArns.toSorted(),
    tags.map(({ key, value, isTransitive }) => JSON.stringify([key, value, isTransitive])).toSorted(),
  ]);
}

function scaleOf({ lifeMs }: LeasePace): number {
  return Math.min(lifeMs, HOUR) / HOUR;
}
