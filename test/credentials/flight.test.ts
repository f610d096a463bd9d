import { describe, expect, test } from "vitest";
import { sleep } from "../../src/clock.ts";
import { fly } from "../../src/credentials/flight.ts";
import { newEntry } from "../../src/credentials/lease-entry.ts";
import type { MintCall } from "../../src/credentials/mint.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { DENIED, DOWN, grantOf, MINUTE, pass } from "./scripted.ts";

/** A flight whose calls wait `queueMs` for their turns and fail after `callMs`; the times of the calls since the start, once it has ended. */
async function flyInVain({ queueMs, callMs, error = DOWN }: { readonly queueMs: number; readonly callMs: number; readonly error?: Error }) {
  const clock = handMovedClock();
  const start = clock.now();
  const callsAt: number[] = [];
  const budget = {
    async turn() {
      await sleep(clock, queueMs);
      return queueMs;
    },
  };
  const mint = async (_: unknown, { turn }: MintCall) => {
    await turn();
    callsAt.push(clock.now() - start);
    await sleep(clock, callMs);
    throw error;
  };
  const parts = { mint, budget, clock, random: () => 1 };
  const ended = fly(newEntry(grantOf()), "request", parts, new AbortController().signal).catch((reason: unknown) => reason);
  await pass(clock, MINUTE);
  expect(await ended).toBe(error);
  return callsAt;
}

describe("a flight", () => {
  test("makes three tries, with 100 and 200 ms between them at the most", async () => {
    expect(await flyInVain({ queueMs: 0, callMs: 10 })).toEqual([0, 110, 320]);
  });

  test("begins no try five seconds after its start", async () => {
    expect(await flyInVain({ queueMs: 0, callMs: 2_450 })).toEqual([0, 2_550]);
    expect(await flyInVain({ queueMs: 0, callMs: 2_449 })).toEqual([0, 2_549, 5_198]);
  });

  test("has all its tries however long each of them is queued", async () => {
    expect(await flyInVain({ queueMs: 6_000, callMs: 10 })).toEqual([6_000, 12_110, 18_320]);
  });

  test("does not ask again what was denied", async () => {
    expect(await flyInVain({ queueMs: 0, callMs: 10, error: DENIED })).toEqual([0]);
  });
});
