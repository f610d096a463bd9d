import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BACK_OFF_MS, type KeeperDecision, keeperDecision, MOST_REPAIRS, NO_REPAIRS } from "../../src/rules/keeper-decision.ts";
import type { RuleDifference } from "../../src/rules/rule-differences.ts";

const difference = (part: RuleDifference["part"]): RuleDifference => ({ kind: "missing", part, chain: "c", rule: "r" });
const REDIRECT_GONE = [difference("redirect")];
const OPEN = [difference("redirect"), difference("closed")];

/** What the keeper does at each of these seconds, having found what stands beside it. */
function acts(looks: readonly (readonly [second: number, found: readonly RuleDifference[]])[]): string[] {
  let past = NO_REPAIRS;
  return looks.map(([second, found]) => {
    const decision: KeeperDecision = keeperDecision(found, past, second * 1_000);
    past = decision.past;
    return `${second} ${decision.act}`;
  });
}

describe("what the keeper does", () => {
  test("it rests while everything is in its place, and then looks when something changes", () => {
    expect(keeperDecision([], NO_REPAIRS, 0)).toEqual({ act: "rest", past: NO_REPAIRS, lookAgainAt: undefined });
  });

  test("it repairs five times in a minute; the sixth is a fight", () => {
    expect(acts([0, 1, 2, 3, 4, 5].map((second) => [second, OPEN]))).toEqual([
      "0 repair",
      "1 repair",
      "2 repair",
      "3 repair",
      "4 repair",
      "5 back-off",
    ]);
  });

  test("repairs that are a minute apart from each other never are a fight", () => {
    expect(new Set(acts(Array.from({ length: 50 }, (_, k) => [k * 15, OPEN])).map((act) => act.replace(/^\d+ /, "")))).toEqual(
      new Set(["repair"]),
    );
  });

  test("in a fight it leaves the redirect alone for 30 s, then tries once, and backs off again if that does not hold", () => {
    const fought = [0, 1, 2, 3, 4, 5].map((second) => [second, REDIRECT_GONE] as const);
    expect(acts([...fought, [6, REDIRECT_GONE], [34, REDIRECT_GONE], [35, REDIRECT_GONE], [36, REDIRECT_GONE]]).slice(5)).toEqual([
      "5 back-off",
      "6 rest",
      "34 rest",
      "35 repair",
      "36 back-off",
    ]);
  });

  test("a way that is open it closes also in a fight, every 5 s at most", () => {
    const fought = [0, 1, 2, 3, 4, 5].map((second) => [second, OPEN] as const);
    expect(acts([...fought, [6, OPEN], [9, OPEN], [10, OPEN], [11, OPEN], [15, OPEN]]).slice(5)).toEqual([
      "5 back-off",
      "6 rest",
      "9 rest",
      "10 close",
      "11 rest",
      "15 close",
    ]);
  });

  test("in a fight it looks again when the next step may be due, though nothing changes", () => {
    const inFight = { repairs: [], backedOffUntil: 30_000, closedAt: 26_000 };
    expect([
      keeperDecision(OPEN, inFight, 27_000).lookAgainAt,
      keeperDecision(OPEN, { ...inFight, closedAt: 20_000 }, 27_000).lookAgainAt,
      keeperDecision(REDIRECT_GONE, { ...inFight, closedAt: 3_000 }, 10_000).lookAgainAt,
      keeperDecision(OPEN, { ...inFight, closedAt: 3_000 }, 4_000).lookAgainAt,
    ]).toEqual([30_000, 30_000, 30_000, 8_000]);
  });

  test("a clock that is set back in a fight ends the fight's waits: none lasts longer than by a clock that goes on", () => {
    const inFight = { repairs: [90_000, 91_000], backedOffUntil: 130_000, closedAt: 100_000 };
    const setBack = (now: number, found = OPEN) => keeperDecision(found, inFight, now);
    expect(setBack(99_999)).toEqual({
      act: "repair",
      past: { ...NO_REPAIRS, repairs: [90_000, 91_000, 99_999] },
      lookAgainAt: undefined,
    });
    expect(setBack(100_000)).toEqual({ act: "rest", past: inFight, lookAgainAt: 105_000 });
    expect(setBack(5_000).act).toBe("repair");
  });

  test("a close that lies ahead, by a clock that was set back, holds no other close up", () => {
    const inFight = { repairs: [], backedOffUntil: 130_000, closedAt: 112_000 };
    expect(keeperDecision(OPEN, inFight, 110_000)).toEqual({
      act: "close",
      past: { ...inFight, closedAt: 110_000 },
      lookAgainAt: 115_000,
    });
  });

  test("repairs that lie ahead, by a clock that was set back, count no more", () => {
    const past = { ...NO_REPAIRS, repairs: [10_001, 10_002, 10_003, 10_004, 10_005] };
    expect(keeperDecision(OPEN, past, 10_000)).toEqual({ act: "repair", past: { ...past, repairs: [10_000] }, lookAgainAt: undefined });
  });

  test("whatever it finds whenever: six repairs in 30 s at most, and it looks again within 5 s at a way that it leaves open", () => {
    const look = fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.constantFrom([], REDIRECT_GONE, OPEN));
    fc.assert(
      fc.property(fc.array(look, { maxLength: 200 }), (looks) => {
        const { repairedAt, faults } = runThrough(looks);
        const most = Math.max(0, ...repairedAt.map((at) => repairedAt.filter((other) => other >= at && other < at + BACK_OFF_MS).length));
        expect(faults).toEqual([]);
        expect(most).toBeLessThanOrEqual(MOST_REPAIRS + 1);
      }),
    );
  });
});

/** Goes through looks, each `pause` milliseconds after the one before. */
function runThrough(looks: readonly (readonly [pause: number, found: readonly RuleDifference[]])[]) {
  let past = NO_REPAIRS;
  let now = 0;
  const repairedAt: number[] = [];
  const faults: string[] = [];
  for (const [pause, found] of looks) {
    now += pause;
    const { act, past: next, lookAgainAt = Number.POSITIVE_INFINITY } = keeperDecision(found, past, now);
    past = next;
    if (act === "repair") repairedAt.push(now);
    if (found === OPEN && lookAgainAt > now + 5_000 && act !== "repair") faults.push(`${now}: open until ${lookAgainAt}`);
    if (found.length === 0 && act !== "rest") faults.push(`${now}: ${act} without need`);
  }
  return { repairedAt, faults };
}
