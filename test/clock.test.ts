import { describe, expect, onTestFinished, test, vi } from "vitest";
import { hasPassed, systemClock } from "../src/clock.ts";

const DAY = 24 * 60 * 60_000;

test("the machine's clock calls nothing at once that is further away than a timer reaches", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const act = vi.fn();
  const cancel = systemClock.after(30 * DAY, act);
  vi.advanceTimersByTime(24 * DAY);
  expect(act).not.toHaveBeenCalled();
  cancel();
  vi.advanceTimersByTime(24 * DAY);
  expect(act).not.toHaveBeenCalled();
});

describe("a span of 30 that began at 100", () => {
  test.for([
    { now: 100, passed: false, title: "at its begin" },
    { now: 129, passed: false, title: "just before its end" },
    { now: 130, passed: true, title: "at its end" },
    { now: 99, passed: true, title: "when the clock was set back before its begin" },
  ])("has passed $title: $passed", ({ now, passed }) => {
    expect(hasPassed(100, 30, now)).toBe(passed);
  });

  test("has always passed where it never began", () => {
    expect(hasPassed(Number.NEGATIVE_INFINITY, 30, 100)).toBe(true);
  });
});
