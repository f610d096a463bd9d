/** Questions that many ask at once, each key asked one at a time. */
export interface Flights<V> {
  /** The answer to the question that is under way, or to a new one: good enough where an old answer does no harm. */
  join(key: string): Promise<V>;
  /** The answer to a question that is asked after this call. */
  renew(key: string): Promise<V>;
}

/** Shares the calls of `ask`, which never rejects. However many callers there are, a key has one call under way and one waiting. */
export function createFlights<V>(ask: (key: string) => Promise<V>): Flights<V> {
  const underWay = new Map<string, Promise<V>>();
  const waiting = new Map<string, Promise<V>>();

  function start(key: string): Promise<V> {
    const flight = ask(key).finally(() => underWay.delete(key));
    underWay.set(key, flight);
    return flight;
  }

  function startAfter(key: string, running: Promise<V>): Promise<V> {
    const next = running.then(() => {
      waiting.delete(key);
      return start(key);
    });
    waiting.set(key, next);
    return next;
  }

  function renew(key: string): Promise<V> {
    const next = waiting.get(key);
    if (next !== undefined) return next;
    const running = underWay.get(key);
    return running === undefined ? start(key) : startAfter(key, running);
  }

  return { renew, join: (key) => underWay.get(key) ?? renew(key) };
}

/** Calls `act` for each item, `width` at a time. */
export async function eachOf<T>(items: readonly T[], width: number, act: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await act(item);
    }),
  );
}
