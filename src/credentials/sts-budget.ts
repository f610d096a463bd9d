import type { Clock } from "../clock.ts";

/** Who goes first: what a request waits for, then what a new workload will ask for, then what is only renewed early. */
export type Urgency = "request" | "prefetch" | "renewal";

/** The calls to STS of this whole process: the quota of 600 a second is one for the account and Region (docs/contract.md, S9). */
export interface StsBudget {
  /**
   * Waits for leave to make one call, and gives how long it waited in milliseconds. `urgency` is asked anew whenever there is a choice to
   * make, so that a call rises when somebody begins to wait for it. Rejects with the reason of `signal` when that aborts.
   */
  turn(urgency: () => Urgency, signal: AbortSignal): Promise<number>;
}

/** Calls that may be made at once; as many again come back each second. */
const BUCKET = 50;
const PER_SECOND = 10;

interface Bucket {
  readonly tokens: number;
  /** When it held them, in milliseconds since the epoch. */
  readonly at: number;
}

interface Waiting {
  readonly urgency: () => Urgency;
  readonly go: () => void;
}

/** A bucket of 50 calls, refilled by 10 a second; those who wait go by urgency, and in their order within one. */
export function createStsBudget(clock: Clock): StsBudget {
  let bucket: Bucket = { tokens: BUCKET, at: clock.now() };
  const waiting = new Set<Waiting>();
  let isScheduled = false;

  function serve(): void {
    bucket = refilled(bucket, clock.now());
    while (bucket.tokens >= 1) {
      const next = nextOf(waiting);
      if (!next) return;
      waiting.delete(next);
      bucket = { ...bucket, tokens: bucket.tokens - 1 };
      next.go();
    }
    if (isScheduled || waiting.size === 0) return;
    isScheduled = true;
    clock.after(((1 - bucket.tokens) * 1_000) / PER_SECOND, () => {
      isScheduled = false;
      serve();
    });
  }

  return {
    async turn(urgency, signal) {
      signal.throwIfAborted();
      const since = clock.now();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const one: Waiting = { urgency, go: resolve };
      const leave = () => {
        waiting.delete(one);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      waiting.add(one);
      serve();
      await promise.finally(() => signal.removeEventListener("abort", leave));
      return Math.max(0, clock.now() - since);
    },
  };
}

const ORDER: readonly Urgency[] = ["request", "prefetch", "renewal"];

/** Of those who wait, in the order in which they came, the one that goes next. */
export function nextOf<T extends Pick<Waiting, "urgency">>(waiting: Iterable<T>): T | undefined {
  let next: { readonly one: T; readonly rank: number } | undefined;
  for (const one of waiting) {
    const rank = ORDER.indexOf(one.urgency());
    if (next === undefined || rank < next.rank) next = { one, rank };
  }
  return next?.one;
}

/** The bucket at `now`. A clock that was set back takes nothing away, and gives nothing. */
export function refilled({ tokens, at }: Bucket, now: number): Bucket {
  return { tokens: Math.min(BUCKET, tokens + (Math.max(0, now - at) * PER_SECOND) / 1_000), at: now };
}
