import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createStsBudget, nextOf, type Urgency } from "../../src/credentials/sts-budget.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { MINUTE, pass } from "./scripted.ts";

/** A budget, and who had a turn in it: `name at milliseconds since the start`. */
function startBudget() {
  const clock = handMovedClock();
  const start = clock.now();
  const budget = createStsBudget(clock);
  const turns: string[] = [];
  const take = (name: string, urgency: Urgency | (() => Urgency) = "request") => {
    const ending = new AbortController();
    const asked = budget.turn(typeof urgency === "function" ? urgency : () => urgency, ending.signal);
    const waited = asked.then((waitedMs) => {
      turns.push(`${name} at ${clock.now() - start}`);
      return waitedMs;
    });
    return { waited: waited.catch((error: unknown) => error), leave: () => ending.abort(new Error(`${name} left`)) };
  };
  const takeMany = (count: number, urgency?: Urgency) => Array.from({ length: count }, (_, one) => take(`${one}`, urgency));
  const drain = async () => {
    takeMany(50);
    await setImmediate();
    turns.length = 0;
  };
  return { clock, budget, turns, take, takeMany, drain };
}

describe("the choice of who goes next", () => {
  test.for<{ title: string; waiting: readonly Urgency[]; next: number | undefined }>([
    { title: "nobody where nobody waits", waiting: [], next: undefined },
    { title: "what a request waits for before all else", waiting: ["renewal", "prefetch", "short", "request"], next: 3 },
    { title: "a short renewal before a prefetch", waiting: ["renewal", "prefetch", "short"], next: 2 },
    { title: "a prefetch before a renewal that is not short", waiting: ["renewal", "prefetch"], next: 1 },
    { title: "the one that came first among equals", waiting: ["renewal", "short", "prefetch", "short"], next: 1 },
    { title: "a renewal where there is nothing else", waiting: ["renewal", "renewal"], next: 0 },
  ])("is $title", ({ waiting, next }) => {
    const waiters = waiting.map((urgency) => ({ urgency: () => urgency }));
    expect(nextOf(waiters)).toBe(next === undefined ? undefined : waiters[next]);
  });
});

describe("the budget of calls to STS", () => {
  test("gives fifty at once, then ten a second", async () => {
    const { clock, turns, takeMany } = startBudget();
    takeMany(75);
    await setImmediate();
    expect(turns).toHaveLength(50);
    await pass(clock, 999);
    expect(turns).toHaveLength(59);
    await pass(clock, 1);
    expect(turns).toHaveLength(60);
    await pass(clock, 1_500);
    expect(turns).toHaveLength(75);
  });

  test("gives no more than fifty at once, however long nobody asked", async () => {
    const { clock, turns, takeMany, drain } = startBudget();
    await drain();
    await pass(clock, 60 * MINUTE);
    takeMany(100);
    await setImmediate();
    expect(turns).toHaveLength(50);
  });

  test("says how long a turn was waited for", async () => {
    const { clock, take, takeMany } = startBudget();
    const [first] = takeMany(50);
    const [next, last] = [take("next"), take("last")];
    await pass(clock, 200);
    expect([await first?.waited, await next.waited, await last.waited]).toEqual([0, 100, 200]);
  });

  test("serves the most urgent first, and equals in the order in which they came", async () => {
    const { clock, turns, take, drain } = startBudget();
    await drain();
    take("renewal", "renewal");
    take("prefetch", "prefetch");
    take("short", "short");
    take("first request");
    take("second request");
    await pass(clock, 500);
    expect(turns).toEqual(["first request at 100", "second request at 200", "short at 300", "prefetch at 400", "renewal at 500"]);
  });

  test("serves one that became urgent before those that came earlier", async () => {
    const { clock, turns, take, drain } = startBudget();
    await drain();
    let urgency: Urgency = "renewal";
    take("prefetch", "prefetch");
    take("short", "short");
    take("risen", () => urgency);
    await pass(clock, 99);
    urgency = "request";
    await pass(clock, 201);
    expect(turns).toEqual(["risen at 100", "short at 200", "prefetch at 300"]);
  });

  test("takes nothing for one that left, and sets no timer for nobody", async () => {
    const { clock, turns, take, drain } = startBudget();
    await drain();
    const left = take("left");
    take("stayed");
    left.leave();
    expect(await left.waited).toEqual(new Error("left left"));
    await pass(clock, 100);
    expect(turns).toEqual(["stayed at 100"]);
    const last = take("last");
    expect(clock.untilNext()).toBe(100);
    last.leave();
    expect(clock.untilNext()).toBeUndefined();
  });

  test("gives no turn to one that had left before it asked", async () => {
    const { budget, turns, takeMany } = startBudget();
    await expect(budget.turn(() => "request", AbortSignal.abort(new Error("gone")))).rejects.toEqual(new Error("gone"));
    takeMany(50);
    await setImmediate();
    expect(turns).toHaveLength(50);
  });

  test("goes on at the same pace when the machine slept, and when its clock was set back", async () => {
    const { clock, turns, take, takeMany, drain } = startBudget();
    await drain();
    takeMany(60);
    clock.leap(60 * MINUTE);
    await pass(clock, 0);
    expect(turns).toHaveLength(50);
    await pass(clock, 1_000);
    expect(turns).toHaveLength(60);
    clock.leap(-60 * MINUTE);
    const { waited } = take("last");
    await pass(clock, 100);
    expect(await waited).toBe(100);
  });

  test("moves on when time comes in fractions of a millisecond", async () => {
    const { clock, turns, takeMany, drain } = startBudget();
    await drain();
    takeMany(10);
    for (let step = 0; step < 30; step += 1) await pass(clock, 100 / 3);
    expect(turns).toHaveLength(9);
    await pass(clock, 100);
    expect(turns).toHaveLength(10);
  });
});

test("a budget without credit looks at nobody who waits, and leaves the timer that stands", async () => {
  const { clock, turns, take, drain } = startBudget();
  await drain();
  let looks = 0;
  const urgency = (): Urgency => {
    looks += 1;
    return "renewal";
  };
  for (let arrival = 0; arrival < 100; arrival += 1) take(`${arrival}`, urgency);
  expect(looks).toBe(0);
  await pass(clock, 100);
  expect([looks, turns]).toEqual([100, ["0 at 100"]]);
});

test("a budget sets its timers in whole milliseconds: what is less may never move a clock on", async () => {
  const { clock } = startBudget();
  const timersMs: number[] = [];
  const after = (ms: number, act: () => void) => {
    timersMs.push(ms);
    return clock.after(ms, act);
  };
  const budget = createStsBudget({ ...clock, after });
  const takeFor = (count: number) => Array.from({ length: count }, () => budget.turn(() => "request", new AbortController().signal));
  await Promise.all(takeFor(50));
  clock.leap(0.25);
  const turns = takeFor(1);
  expect(timersMs).toEqual([100]);
  await pass(clock, 100);
  await Promise.all(turns);
});
