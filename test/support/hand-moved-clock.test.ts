import { expect, test } from "vitest";
import { handMovedClock } from "./hand-moved-clock.ts";

test("a hand-moved clock calls what falls due in order, each at its own time", () => {
  const clock = handMovedClock(1_000);
  const calls: string[] = [];
  const note = (name: string) => () => void calls.push(`${name} at ${clock.now()}`);
  clock.after(30, note("late"));
  clock.after(10, () => {
    note("early")();
    clock.after(5, note("set on the way"));
  });
  const cancel = clock.after(20, note("cancelled"));
  clock.after(100, note("not yet"));
  cancel();
  clock.advance(50);
  expect({ calls, now: clock.now(), untilNext: clock.untilNext() }).toEqual({
    calls: ["early at 1010", "set on the way at 1015", "late at 1030"],
    now: 1_050,
    untilNext: 50,
  });
});

test("a leap calls nothing; what fell due on the way is called afterwards", () => {
  const clock = handMovedClock(0);
  const calls: number[] = [];
  clock.after(10, () => void calls.push(clock.now()));
  clock.leap(1_000);
  const before = [...calls];
  clock.advance(1);
  expect({ before, calls }).toEqual({ before: [], calls: [1_000] });
});

test("a clock that is set back keeps how long its timers have to go", () => {
  const clock = handMovedClock(1_000);
  const calls: number[] = [];
  clock.after(10, () => void calls.push(clock.now()));
  clock.leap(-500);
  expect(clock.untilNext()).toBe(10);
  clock.advance(10);
  expect(calls).toEqual([510]);
});
