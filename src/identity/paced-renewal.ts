import type { Flights } from "./flights.ts";

/**
 * `renew` with a pause of `gap` between the end of one question about a key and the beginning of the next. Each caller still gets the answer to
 * a question that is asked after the call: who comes within the pause waits, and shares the question that ends it.
 */
export function createPacedRenewal<V>(renew: Flights<V>["renew"], gap: () => Promise<void>): Flights<V>["renew"] {
  const resting = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<V>>();

  function begin(key: string): Promise<V> {
    const answer = renew(key);
    resting.set(key, rest(key, answer));
    return answer;
  }

  async function rest(key: string, answer: Promise<V>): Promise<void> {
    await answer;
    await gap();
    resting.delete(key);
  }

  function beginAfter(key: string, rested: Promise<void>): Promise<V> {
    const next = rested.then(() => {
      waiting.delete(key);
      return begin(key);
    });
    waiting.set(key, next);
    return next;
  }

  return (key) => {
    const rested = resting.get(key);
    return waiting.get(key) ?? (rested === undefined ? begin(key) : beginAfter(key, rested));
  };
}
