import { expect, test } from "vitest";
import { countFrom, countMs, type Durations, quantileOf } from "./churn/durations.ts";

test("durations are told by their share and by how long they are at least", () => {
  const durations: Durations = new Map();
  for (const ms of [5, 1, 1, 200, 1, 1, 3, 1, 1, 1]) countMs(durations, ms);
  const told = { shares: [0.5, 0.8, 0.9, 1].map((share) => quantileOf(durations, share)), long: countFrom(200, durations) };
  expect(told).toEqual({ shares: [1, 3, 5, 200], long: 1 });
  expect(quantileOf(new Map(), 0.5)).toBe(0);
});
