import { expect, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { Over } from "../../src/gateway/limits.ts";
import { createRefusedConnections } from "../../src/gateway/refused-connections.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const over = (budget: string, limit: Over["limit"] = "workload-limit"): Over => ({ kind: "over", limit, budget });
const GREEDY = over("172.17.0.2");

function setUp() {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const refused = createRefusedConnections(clock, (event) => void events.push(event));
  return {
    clock,
    refused,
    noteGreedy(times: number) {
      for (let k = 0; k < times; k += 1) refused.note("172.17.0.2", GREEDY);
    },
    /** What was told since the last look. */
    told: () => events.splice(0).map((event) => (event.kind === "connection-refused" ? [event.address, event.reason, event.count] : [])),
  };
}

test("the first one is told at once, those that follow once a second with their number, as long as they last", () => {
  const { clock, noteGreedy, told } = setUp();
  noteGreedy(3_001);
  expect(told()).toEqual([["172.17.0.2", "workload-limit", 1]]);
  clock.advance(999);
  expect(told()).toEqual([]);
  clock.advance(1);
  expect(told()).toEqual([["172.17.0.2", "workload-limit", 3_000]]);
  noteGreedy(7);
  clock.advance(1_000);
  expect(told()).toEqual([["172.17.0.2", "workload-limit", 7]]);
});

test("after a second without any the next one is a first one again, and nothing is kept", () => {
  const { clock, noteGreedy, told } = setUp();
  noteGreedy(1);
  clock.advance(1_000);
  expect([told(), clock.untilNext()]).toEqual([[["172.17.0.2", "workload-limit", 1]], undefined]);
  noteGreedy(1);
  expect(told()).toEqual([["172.17.0.2", "workload-limit", 1]]);
});

test("each workload and each limit has its own line; all unlisted addresses share one, with the last one's address", () => {
  const { clock, refused, told } = setUp();
  refused.note("172.17.0.2", GREEDY);
  refused.note("172.17.0.3", over("172.17.0.3"));
  refused.note("172.17.0.2", over("172.17.0.2", "total-limit"));
  for (let k = 0; k < 50; k += 1) refused.note(`10.0.0.${k}`, over("unlisted"));
  expect(told()).toEqual([
    ["172.17.0.2", "workload-limit", 1],
    ["172.17.0.3", "workload-limit", 1],
    ["172.17.0.2", "total-limit", 1],
    ["10.0.0.0", "workload-limit", 1],
  ]);
  clock.advance(1_000);
  expect(told()).toEqual([["10.0.0.49", "workload-limit", 49]]);
});

test("the end tells what was counted, and leaves no timer", () => {
  const { clock, refused, noteGreedy, told } = setUp();
  noteGreedy(5);
  refused.note("172.17.0.3", over("172.17.0.3"));
  refused.end();
  expect([told(), clock.untilNext()]).toEqual([
    [
      ["172.17.0.2", "workload-limit", 1],
      ["172.17.0.3", "workload-limit", 1],
      ["172.17.0.2", "workload-limit", 4],
    ],
    undefined,
  ]);
});
