import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until it is moved. */
export interface HandMovedClock extends Clock {
  /** Moves on by `ms`, and calls what falls due on the way, in order, at its own time. */
  advance(ms: number): void;
  /**
   * Moves on by `ms` and calls nothing: a machine that was suspended. What fell due is called by the next `advance`.
   * Backwards it is a clock that was set back: timers go off as long from now as before.
   */
  leap(ms: number): void;
  /** Milliseconds until the next timer, 0 when it is overdue; undefined when none is set. */
  untilNext(): number | undefined;
}

interface Timer {
  at: number;
  readonly act: () => void;
}

/** A hand-moved clock that begins at `start` (milliseconds since the epoch). */
export function handMovedClock(start = Date.UTC(2026, 10, 24, 2, 0, 0)): HandMovedClock {
  const timers = new Set<Timer>();
  let time = start;
  const next = (): Timer | undefined => {
    let earliest: Timer | undefined;
    for (const timer of timers) if (!earliest || timer.at < earliest.at) earliest = timer;
    return earliest;
  };
  return {
    now: () => time,
    after(ms, act) {
      const timer: Timer = { at: time + Math.max(0, ms), act };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance(ms) {
      const end = time + ms;
      for (let due = next(); due && due.at <= end; due = next()) {
        timers.delete(due);
        time = Math.max(time, due.at);
        due.act();
      }
      time = end;
    },
    leap(ms) {
      time += ms;
      if (ms < 0) for (const timer of timers) timer.at += ms;
    },
    untilNext() {
      const timer = next();
      return timer && Math.max(0, timer.at - time);
    },
  };
}
