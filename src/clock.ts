/** Ends a timer. Harmless once the timer has fired. */
export type Cancel = () => void;

/** Time as the rooms see it. Nothing else in `src` reads the wall clock or starts a timer. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `act` once, `ms` milliseconds from now; where that is more than 24 days, maybe earlier. */
  after(ms: number, act: () => void): Cancel;
}

/** What Node's timers hold: one that is set for longer would go off at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, Math.min(ms, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * Whether a span of `ms` that began at `since` is over at `now`. Where `since` lies ahead the clock was set back, and nobody knows how long
 * ago that was: it is over, so that nothing waits for as long as the clock was set back.
 */
export function hasPassed(since: number, ms: number, now: number): boolean {
  return now >= since + ms || now < since;
}

/** Resolves `ms` milliseconds from now, or at once when `signal` aborts. It never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = () => {
      cancel();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const cancel = clock.after(ms, wake);
    signal?.addEventListener("abort", wake, { once: true });
  });
}

/** What `work` gives, or `otherwise` when it has not settled after `ms` milliseconds. `work` goes on. */
export async function within<T, U>(clock: Clock, ms: number, work: Promise<T>, otherwise: U): Promise<T | U> {
  let cancel: Cancel = () => {};
  const late = new Promise<U>((resolve) => {
    cancel = clock.after(ms, () => resolve(otherwise));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
