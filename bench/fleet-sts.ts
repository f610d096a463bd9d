import { type Clock, sleep } from "../src/clock.ts";
import type { Sts } from "../src/credentials/assume-role.ts";
import { ImdsgateError } from "../src/errors.ts";

/** AssumeRole calls that AWS takes in a second for one account and Region. */
export const QUOTA = 600;
/** What one call takes, in milliseconds. */
const CALL_MS = 50;

/** What the whole fleet's calls came to since the last `begin`. */
interface CallCounts {
  readonly calls: number;
  readonly throttled: number;
  /** The most calls in one minute. */
  readonly busiestMinute: number;
}

/** What became of the leases since the last `begin`. */
export interface LeaseCounts {
  /** Sessions that were without a lease for a moment or longer, having had one. */
  readonly lapsed: number;
  /** The longest that one was, in milliseconds. */
  readonly longestGapMs: number;
  /** The least that was left of a lease when the next one came, in milliseconds; 0 where one lapsed. */
  readonly leastLeftMs: number;
}

/** STS with a quota for all who ask it, and its own books. */
export interface FleetSts {
  readonly sts: Sts;
  /** From now on every call fails, or none but by the quota. */
  setOut(isOut: boolean): void;
  /** Counts from now on. */
  begin(): void;
  /** Calls since `begin`. */
  calls(): CallCounts;
  /** Leases since `begin`; those that are missing now count up to now. */
  leases(): LeaseCounts;
  /** When each session had its first lease since `begin`, in milliseconds since the epoch and in that order. */
  readonly firstAt: ReadonlyMap<string, number>;
}

/** STS that lets `perSecond` calls a second through, a second's worth at once, and throttles the rest at no cost to the quota. */
export function fleetSts(clock: Clock, perSecond: number): FleetSts {
  const takeTurn = createQuota(clock, perSecond);
  const leases = leaseBook(clock);
  const calls = callBook(clock);
  let isOut = false;
  const sts: Sts = {
    async assumeRole({ sessionName, roleArn, durationSeconds }) {
      calls.note();
      await sleep(clock, CALL_MS);
      if (isOut) throw new ImdsgateError("STS_UNAVAILABLE", "STS is out");
      if (!takeTurn()) {
        calls.noteThrottled();
        throw new ImdsgateError("STS_THROTTLED", "the quota is used up");
      }
      const expiresAt = clock.now() + durationSeconds * 1_000;
      leases.note(sessionName, expiresAt);
      return {
        ...KEYS,
        expiresAt,
        assumedRoleArn: `${roleArn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")}/${sessionName}`,
      };
    },
    async callerArn() {
      return "arn:aws:sts::111122223333:assumed-role/host-role/i-0abc";
    },
  };
  return {
    sts,
    setOut(value) {
      isOut = value;
    },
    begin() {
      calls.begin();
      leases.begin();
    },
    calls: calls.counts,
    leases: leases.counts,
    firstAt: leases.firstAt,
  };
}

const KEYS = { accessKeyId: "ASIAFLEETFLEETFLEET1", secretAccessKey: "secretAccessKeyOfTheFleet", sessionToken: "sessionTokenOfTheFleet" };

/** A bucket of one second's calls; of five where a share of the quota is less, so that two calls by chance at once are no throttling. */
function createQuota(clock: Clock, perSecond: number): () => boolean {
  const most = Math.max(5, perSecond);
  let [left, at] = [most, clock.now()];
  return () => {
    const now = clock.now();
    [left, at] = [Math.min(most, left + ((now - at) / 1_000) * perSecond), now];
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

function callBook(clock: Clock) {
  let [calls, throttled, busiestMinute, minute, inMinute] = [0, 0, 0, 0, 0];
  return {
    begin() {
      [calls, throttled, busiestMinute, inMinute] = [0, 0, 0, 0];
    },
    note() {
      const thisMinute = Math.floor(clock.now() / 60_000);
      inMinute = thisMinute === minute ? inMinute + 1 : 1;
      minute = thisMinute;
      calls += 1;
      busiestMinute = Math.max(busiestMinute, inMinute);
    },
    noteThrottled() {
      throttled += 1;
    },
    counts: (): CallCounts => ({ calls, throttled, busiestMinute }),
  };
}

function leaseBook(clock: Clock) {
  const firstAt = new Map<string, number>();
  const expiresAt = new Map<string, number>();
  const lapsed = new Set<string>();
  let [begunAt, longestGapMs, leastLeftMs] = [clock.now(), 0, Number.POSITIVE_INFINITY];
  /** The next lease of a session comes now, or would. */
  function noteEnd(session: string, endsAt: number): void {
    const leftMs = endsAt - clock.now();
    leastLeftMs = Math.min(leastLeftMs, Math.max(0, leftMs));
    if (leftMs >= 0) return;
    lapsed.add(session);
    longestGapMs = Math.max(longestGapMs, Math.min(-leftMs, clock.now() - begunAt));
  }
  return {
    firstAt,
    begin() {
      [begunAt, longestGapMs, leastLeftMs] = [clock.now(), 0, Number.POSITIVE_INFINITY];
      lapsed.clear();
      firstAt.clear();
    },
    note(session: string, endsAt: number) {
      const before = expiresAt.get(session);
      if (before !== undefined) noteEnd(session, before);
      if (!firstAt.has(session)) firstAt.set(session, clock.now());
      expiresAt.set(session, endsAt);
    },
    counts(): LeaseCounts {
      for (const [session, endsAt] of expiresAt) if (endsAt < clock.now()) noteEnd(session, endsAt);
      return { lapsed: lapsed.size, longestGapMs, leastLeftMs };
    },
  };
}
