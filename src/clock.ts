/** Ends a timer. Harmless once the timer has fired. */
export type Cancel = () => void;

/** Time as the rooms see it. Nothing else in `src` reads the wall clock or starts a timer. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `act` once, `ms` milliseconds from now. */
  after(ms: number, act: () => void): Cancel;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

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
