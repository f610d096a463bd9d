import type { Clock } from "./clock.ts";

/** An end for an effect: `ms` from now, or when `signal` aborts. Either way `late` makes the error. */
export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal: AbortSignal;
  readonly late: () => Error;
}

/** What `act` gives, or a rejection at the deadline; `act` is told by its signal, and is not waited for when it does not listen. */
export async function withDeadline<T>({ clock, ms, signal, late }: Deadline, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => {
    own.abort();
    reject(late());
  };
  const cancel = clock.after(ms, end);
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) throw late();
    return await Promise.race([act(own.signal), ended]);
  } finally {
    cancel();
    signal.removeEventListener("abort", end);
  }
}
