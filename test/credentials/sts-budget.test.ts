import { describe, expect, test } from "vitest";
import { createStsBudget, nextOf, refilled, type Urgency } from "../../src/credentials/sts-budget.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { pass } from "./scripted.ts";

const NEVER = new AbortController().signal;

/** A budget of which everything that may be had at once is spent. `ask` notes the name of a call when it has its turn. */
async function startSpentBudget() {
  const clock = handMovedClock();
  const budget = createStsBudget(clock);
  const waits = await Promise.all(Array.from({ length: 50 }, () => budget.turn(() => "renewal", NEVER)));
  const went: string[] = [];
  const ask = async (name: string, urgency: () => Urgency, signal = NEVER) => {
    const waitedMs = await budget.turn(urgency, signal);
    went.push(name);
    return waitedMs;
  };
  return { clock, budget, waits, went, ask };
}

describe("the bucket", () => {
  test.for([
    { tokens: 0, afterMs: 0, holds: 0 },
    { tokens: 0, afterMs: 100, holds: 1 },
    { tokens: 0.5, afterMs: 1_000, holds: 10.5 },
    { tokens: 49, afterMs: 3_600_000, holds: 50 },
    { tokens: 7, afterMs: -3_600_000, holds: 7 },
  ])("of $tokens holds $holds after $afterMs ms", ({ tokens, afterMs, holds }) => {
    expect(refilled({ tokens, at: 1_000_000 }, 1_000_000 + afterMs)).toEqual({ tokens: holds, at: 1_000_000 + afterMs });
  });
});

describe("who goes next", () => {
  const calls = (...urgencies: readonly Urgency[]) => urgencies.map((urgency, place) => ({ place, urgency: () => urgency }));

  test.for<{ waiting: readonly Urgency[]; next: number | undefined }>([
    { waiting: [], next: undefined },
    { waiting: ["renewal"], next: 0 },
    { waiting: ["renewal", "prefetch", "request"], next: 2 },
    { waiting: ["renewal", "prefetch"], next: 1 },
    { waiting: ["request", "request"], next: 0 },
    { waiting: ["renewal", "prefetch", "prefetch", "renewal"], next: 1 },
  ])("of $waiting: $next", ({ waiting, next }) => {
    expect(nextOf(calls(...waiting))?.place).toBe(next);
  });
});

describe("the budget of a process", () => {
  test("lets fifty calls go at once, and ten more each second", async () => {
    const { clock, waits, went, ask } = await startSpentBudget();
    expect(waits).toEqual(Array.from({ length: 50 }, () => 0));
    for (let call = 1; call <= 30; call += 1) void ask(`${call}`, () => "prefetch");
    await pass(clock, 99);
    expect(went).toEqual([]);
    await pass(clock, 1);
    expect(went).toEqual(["1"]);
    await pass(clock, 1_900);
    expect(went).toEqual(Array.from({ length: 20 }, (_, call) => `${call + 1}`));
  });

  test("tells how long a call waited", async () => {
    const { clock, ask } = await startSpentBudget();
    const first = ask("first", () => "request");
    const second = ask("second", () => "request");
    await pass(clock, 1_000);
    expect(await Promise.all([first, second])).toEqual([100, 200]);
  });

  test("lets a call rise when somebody begins to wait for it", async () => {
    const { clock, went, ask } = await startSpentBudget();
    let urgency: Urgency = "renewal";
    void ask("prefetch", () => "prefetch");
    void ask("prefetch after it", () => "prefetch");
    void ask("renewal", () => urgency);
    await pass(clock, 100);
    urgency = "request";
    await pass(clock, 200);
    expect(went).toEqual(["prefetch", "renewal", "prefetch after it"]);
  });

  test("spends nothing on a call that is not wanted any more", async () => {
    const { clock, went, ask } = await startSpentBudget();
    const leaving = new AbortController();
    const gone = ask("gone", () => "request", leaving.signal);
    void ask("next", () => "request");
    leaving.abort(new Error("nobody needs it"));
    await expect(gone).rejects.toThrow("nobody needs it");
    await pass(clock, 100);
    expect(went).toEqual(["next"]);
    await expect(ask("too late", () => "request", leaving.signal)).rejects.toThrow("nobody needs it");
  });

  test("sets no timer while nobody waits", async () => {
    const { clock, ask } = await startSpentBudget();
    expect(clock.untilNext()).toBeUndefined();
    void ask("one", () => "request");
    await pass(clock, 100);
    expect(clock.untilNext()).toBeUndefined();
  });
});
