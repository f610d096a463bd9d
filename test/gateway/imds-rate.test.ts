import { expect, test } from "vitest";
import { createImdsRate, type ImdsTurn } from "../../src/gateway/imds-rate.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

function setUp(perSecond: number) {
  const clock = handMovedClock();
  const rate = createImdsRate(perSecond, clock);
  const order: string[] = [];
  const ask = (name: string, kind: ImdsTurn = "other", source = name) =>
    void rate.turn(kind, source).then((hasTurn) => order.push(hasTurn ? name : `${name} gave up`));
  const settle = async () => {
    for (let k = 0; k < 10; k++) await Promise.resolve();
  };
  return { clock, order, ask, settle };
}

test("after a quiet second a second's turns are there at once, then they come one by one", async () => {
  const { clock, order, ask, settle } = setUp(10);
  for (let k = 0; k < 12; k++) ask(`r${k}`);
  await settle();
  expect(order).toHaveLength(10);
  clock.advance(99);
  await settle();
  expect(order).toHaveLength(10);
  clock.advance(1);
  await settle();
  expect(order).toEqual(Array.from({ length: 11 }, (_, k) => `r${k}`));
});

test("a token request goes before the others that wait", async () => {
  const { clock, order, ask, settle } = setUp(1);
  for (const name of ["first", "a", "b"]) ask(name);
  ask("put", "token");
  clock.advance(1_000);
  await settle();
  expect(order).toEqual(["first", "put"]);
});

test("a noisy container delays itself: whoever had his turn longest ago is next", async () => {
  const { clock, order, ask, settle } = setUp(1);
  for (let k = 0; k < 5; k++) ask(`noisy${k}`, "other", "172.17.0.9");
  ask("quiet", "other", "172.17.0.2");
  clock.advance(2_000);
  await settle();
  expect(order).toEqual(["noisy0", "quiet", "noisy1"]);
});

test("who has waited for 5 s gives up, and the turns go on", async () => {
  const { clock, order, ask, settle } = setUp(1);
  for (let k = 0; k < 8; k++) ask(`r${k}`);
  clock.advance(5_000);
  await settle();
  expect(order).toEqual(["r0", "r1", "r2", "r3", "r4", "r5 gave up", "r6 gave up", "r7 gave up"]);
  clock.advance(1_000);
  ask("later");
  await settle();
  expect(order.at(-1)).toBe("later");
});
