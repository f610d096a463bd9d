import type { Cancel, Clock } from "../src/clock.ts";

/** A clock that passes as fast as its work is done. */
export interface VirtualClock extends Clock {
  /** Moves on by `ms`, timer by timer; after each, whatever waited for a promise goes on before time does. */
  pass(ms: number): Promise<void>;
}

interface Timer {
  readonly at: number;
  /** Timers of one moment go off in the order in which they were set. */
  readonly serial: number;
  act: (() => void) | undefined;
}

/** A virtual clock that begins at `start`, in milliseconds since the epoch. Its timers are of whole milliseconds, as the machine's. */
export function virtualClock(start: number): VirtualClock {
  const heap: Timer[] = [];
  let now = start;
  let serial = 0;
  return {
    now: () => now,
    after(ms, act): Cancel {
      const timer: Timer = { at: now + Math.ceil(Math.max(0, ms)), serial, act };
      serial += 1;
      push(heap, timer);
      return () => {
        timer.act = undefined;
      };
    },
    async pass(ms) {
      const end = now + ms;
      for (let next = heap[0]; next && next.at <= end; next = heap[0]) {
        pop(heap);
        if (next.act === undefined) continue;
        now = next.at;
        next.act();
        await promisesDone();
      }
      now = end;
    },
  };
}

/** Resolves when no promise is left to go on. */
export function promisesDone(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.serial < other.serial);
}

/** A binary heap, the earliest timer first. */
function push(heap: Timer[], timer: Timer): void {
  let place = heap.length;
  while (place > 0) {
    const above = (place - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isBefore(timer, parent)) break;
    heap[place] = parent;
    place = above;
  }
  heap[place] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let place = 0;
  for (;;) {
    const [left, right] = [heap[2 * place + 1], heap[2 * place + 2]];
    const isRight = left !== undefined && right !== undefined && isBefore(right, left);
    const child = isRight ? right : left;
    if (child === undefined || !isBefore(child, last)) break;
    heap[place] = child;
    place = 2 * place + (isRight ? 2 : 1);
  }
  heap[place] = last;
}
