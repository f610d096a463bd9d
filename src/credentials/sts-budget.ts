import type { Cancel, Clock } from "../clock.ts";

/**
 * How much a call is wanted, the most wanted first: a request waits for it and has nothing else; the lease is short, and a request may wait
 * for a better one; a workload is here and has none yet; the lease is only renewed early.
 */
const URGENCIES = ["request", "short", "prefetch", "renewal"] as const;

export type Urgency = (typeof URGENCIES)[number];

/** The calls of AssumeRole that this process makes: STS's quota is one for all hosts of an account and Region (docs/contract.md, S9). */
export interface StsBudget {
  /**
   * Waits for leave to make one call, and gives how long that took, in milliseconds. `urgency` is asked anew at each choice, so that a call
   * rises when somebody begins to wait for it. Rejects with the reason of `signal` when that aborts; then it took no leave from others.
   */
  turn(urgency: () => Urgency, signal: AbortSignal): Promise<number>;
}

/** One that waits for its turn. */
interface Waiter {
  readonly urgency: () => Urgency;
  readonly go: () => void;
}

/** What calls may be made of: time that has passed without any. `at` is in milliseconds since the epoch. */
interface Bucket {
  readonly creditMs: number;
  readonly at: number;
}

/** Ten calls a second, and fifty at once after five seconds without any. */
const CALL_MS = 100;
const FULL_MS = 50 * CALL_MS;

/** A bucket of 50 calls, refilled by 10 a second. Those who wait go by urgency, and in the order in which they came within one. */
export function createStsBudget(clock: Clock): StsBudget {
  const waiters = new Set<Waiter>();
  let bucket: Bucket = { creditMs: FULL_MS, at: clock.now() };
  let cancelTimer: Cancel | undefined;

  /** Without credit nobody is looked at, and the timer that stands is left: each arrival comes by here. */
  function serve(): void {
    bucket = refilled(bucket, clock.now());
    while (bucket.creditMs >= CALL_MS) {
      const next = nextOf(waiters);
      if (next === undefined) break;
      bucket = { ...bucket, creditMs: bucket.creditMs - CALL_MS };
      waiters.delete(next);
      next.go();
    }
    if (waiters.size === 0) {
      stopTimer();
      return;
    }
    // In whole milliseconds: what is less may be too little to move a clock on.
    cancelTimer ??= clock.after(Math.ceil(CALL_MS - bucket.creditMs), () => {
      cancelTimer = undefined;
      serve();
    });
  }

  function stopTimer(): void {
    cancelTimer?.();
    cancelTimer = undefined;
  }

  return {
    async turn(urgency, signal) {
      signal.throwIfAborted();
      const since = clock.now();
      const { promise: gone, resolve: go, reject } = Promise.withResolvers<void>();
      const waiter: Waiter = { urgency, go };
      const leave = () => {
        waiters.delete(waiter);
        if (waiters.size === 0) stopTimer();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      waiters.add(waiter);
      serve();
      await gone.finally(() => signal.removeEventListener("abort", leave));
      return Math.max(0, clock.now() - since);
    },
  };
}

/** The one of `waiters`, given in the order in which they came, that goes next. */
export function nextOf<T extends Pick<Waiter, "urgency">>(waiters: Iterable<T>): T | undefined {
  let next: T | undefined;
  let nextRank: number = URGENCIES.length;
  for (const waiter of waiters) {
    const rank = URGENCIES.indexOf(waiter.urgency());
    if (rank < nextRank) [next, nextRank] = [waiter, rank];
    if (nextRank === 0) break;
  }
  return next;
}

/** The bucket at `now`. A clock that was set back neither gives nor takes. */
function refilled({ creditMs, at }: Bucket, now: number): Bucket {
  return { creditMs: Math.min(FULL_MS, creditMs + Math.max(0, now - at)), at: now };
}
