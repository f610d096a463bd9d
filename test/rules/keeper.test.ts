import { expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createKeeper } from "../../src/rules/keeper.ts";
import type { RuleDifference } from "../../src/rules/rule-differences.ts";
import { createTurns } from "../../src/rules/turns.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const REDIRECT: RuleDifference = { kind: "missing", part: "redirect", chain: "pre", rule: "redirect to :1" };
const DROP: RuleDifference = { kind: "missing", part: "closed", chain: "fwd", rule: "drop" };
/** One rule, as it was asked for and as a tool lists it. */
const IN_OTHER_WORDS = [
  { ...DROP, rule: "tcp dport 80 drop" },
  { ...DROP, kind: "foreign", rule: "tcp dport http drop" },
] as const satisfies readonly RuleDifference[];

/** A keeper over a kernel of which `now.missing` tells the state; `put` what was put in. */
function startKeeper(first: readonly RuleDifference[] = [], lookFails = false) {
  const clock = handMovedClock(0);
  const ending = new AbortController();
  const now = { missing: first, lookFails, putFails: false, isReleaseAsked: false, duringLook: () => {} };
  const put: string[] = [];
  const events: ImdsgateEvent[] = [];
  const followed: string[] = [];
  let change = () => {};
  const inTurn = createTurns();
  const keeper = createKeeper({
    backend: "nftables",
    inTurn,
    look() {
      const seen = now.missing;
      now.duringLook();
      return now.lookFails ? Promise.reject(new Error("nft: no")) : Promise.resolve(seen);
    },
    putIn(parts) {
      if (now.putFails) return Promise.reject(new Error("nft: busy"));
      put.push(parts);
      now.missing = parts === "all" ? [] : [REDIRECT];
      return Promise.resolve();
    },
    isReleaseAsked: () => Promise.resolve(now.isReleaseAsked),
    release() {
      now.isReleaseAsked = false;
      return Promise.resolve();
    },
    followUplinks(isDue) {
      followed.push(isDue ? "due" : "when it is time");
      return Promise.resolve();
    },
    idleLookMs: (tookMs) => (tookMs > 0 ? 3 * tookMs : 30_000),
    watch(onChange, signal) {
      change = onChange;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    clock,
    emit: (event) => events.push(event),
  });
  const kept = keeper.run(ending.signal);
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  async function stop(): Promise<void> {
    ending.abort();
    await kept;
  }
  onTestFinished(stop);
  return {
    now,
    put,
    events,
    followed,
    inTurn,
    kept,
    learnWording: keeper.learnWording,
    stop,
    settle,
    async damage(missing: readonly RuleDifference[]) {
      now.missing = missing;
      change();
      await settle();
    },
    async advance(ms: number) {
      clock.advance(ms);
      await settle();
    },
    passDuringLook: clock.advance,
    untilNext: clock.untilNext,
  };
}

const repaired = (parts: "all" | "closed", found: string, repairs: number) => ({
  kind: "rules-repaired",
  backend: "nftables",
  parts,
  found,
  repairs,
});

test("what is missing when it begins is put in at once", async () => {
  const keeper = startKeeper([REDIRECT]);
  await keeper.settle();
  expect(keeper.events).toEqual([repaired("all", "missing in pre: redirect to :1", 1)]);
});

test("each change is set right, counted and told", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  await keeper.damage([REDIRECT]);
  await keeper.damage([DROP]);
  await keeper.damage([]);
  expect(keeper.put).toEqual(["all", "all"]);
  expect(keeper.events).toEqual([repaired("all", "missing in pre: redirect to :1", 1), repaired("all", "missing in fwd: drop", 2)]);
});

test("it looks every 30 s although nothing changes", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  keeper.now.missing = [DROP];
  await keeper.advance(29_999);
  expect(keeper.put).toEqual([]);
  await keeper.advance(1);
  expect(keeper.put).toEqual(["all"]);
});

test("after a look that took long it looks as much more seldom as it is told to", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  keeper.now.duringLook = () => keeper.passDuringLook(20_000);
  await keeper.damage([]);
  keeper.now.duringLook = () => {};
  keeper.now.missing = [DROP];
  await keeper.advance(59_999);
  expect(keeper.put).toEqual([]);
  await keeper.advance(1);
  expect(keeper.put).toEqual(["all"]);
});

test("a change during a look is not lost", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  keeper.now.duringLook = () => {
    keeper.now.duringLook = () => {};
    void keeper.damage([DROP]);
  };
  await keeper.damage([]);
  expect(keeper.put).toEqual(["all"]);
});

test("a fight ends in the closed part, an alarm and 30 s without the redirect; then it tries again", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  for (let k = 0; k < 6; k++) await keeper.damage([REDIRECT]);
  expect(keeper.put).toEqual(["all", "all", "all", "all", "all", "closed"]);
  expect(keeper.events.slice(5)).toEqual([
    { kind: "rules-flapping", backend: "nftables", found: "missing in pre: redirect to :1", backOffMs: 30_000 },
    repaired("closed", "missing in pre: redirect to :1", 6),
  ]);
  await keeper.damage([REDIRECT, DROP]);
  expect(keeper.put.length).toBe(6);
  await keeper.advance(5_000);
  expect(keeper.put.slice(6)).toEqual(["closed"]);
  await keeper.advance(24_999);
  expect(keeper.put.slice(7)).toEqual([]);
  await keeper.advance(1);
  expect(keeper.put.slice(7)).toEqual(["all"]);
});

test("a tool that fails is told once, and tried again until it works", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  keeper.now.lookFails = true;
  await keeper.damage([DROP]);
  for (let k = 0; k < 3; k++) await keeper.advance(200);
  expect(keeper.events).toEqual([{ kind: "rules-unkept", backend: "nftables", message: "nft: no" }]);
  Object.assign(keeper.now, { lookFails: false, putFails: true });
  await keeper.advance(200);
  await keeper.advance(200);
  Object.assign(keeper.now, { putFails: false });
  await keeper.advance(200);
  expect(keeper.events.slice(1)).toEqual([
    { kind: "rules-unkept", backend: "nftables", message: "nft: busy" },
    repaired("all", "missing in fwd: drop", 1),
  ]);
});

test("a tool that lists our rules in other words is believed at the start, and only then", async () => {
  const [asked, listed] = IN_OTHER_WORDS;
  const keeper = startKeeper([asked, listed]);
  await keeper.settle();
  expect([keeper.put, keeper.events]).toEqual([
    [],
    [{ kind: "rules-note", message: "nftables lists the rules in words of its own; they are kept as it lists them" }],
  ]);
  await keeper.damage([asked, listed, REDIRECT]);
  await keeper.damage([DROP, { ...listed, rule: "udp drop" }]);
  expect(keeper.events.slice(1)).toEqual([
    repaired("all", "missing in pre: redirect to :1", 1),
    repaired("all", "missing in fwd: drop; foreign in fwd: udp drop", 2),
  ]);
});

test("a rule that is listed in other words and is then deleted is put back", async () => {
  const [asked, listed] = IN_OTHER_WORDS;
  const keeper = startKeeper([asked, listed]);
  await keeper.settle();
  await keeper.damage([asked]);
  expect(keeper.put).toEqual(["all"]);
});

test("in a fight the closed part, listed in other words, is not put in again and again because the redirect is away", async () => {
  const [asked, listed] = IN_OTHER_WORDS;
  const [redirect, redirectListed] = [
    { ...REDIRECT, rule: "tcp dport 80 redirect to :1" },
    { ...REDIRECT, kind: "foreign" as const, rule: "tcp dport http redirect to :1" },
  ];
  const keeper = startKeeper([asked, listed, redirect, redirectListed]);
  await keeper.settle();
  for (let k = 0; k < 6; k++) await keeper.damage([asked, listed, redirect]);
  expect(keeper.put.slice(5)).toEqual(["closed"]);
  keeper.now.missing = [asked, listed, redirect];
  await keeper.advance(29_999);
  expect(keeper.put.slice(6)).toEqual([]);
});

test("what stands in other words once more than at the start is somebody else's", async () => {
  const [asked, listed] = IN_OTHER_WORDS;
  const keeper = startKeeper([asked, listed]);
  await keeper.settle();
  await keeper.damage([asked, listed, listed]);
  expect(keeper.events.slice(1)).toEqual([repaired("all", "foreign in fwd: tcp dport http drop", 1)]);
});

test("after a first look that failed no other words are believed: they may be somebody else's", async () => {
  const keeper = startKeeper(IN_OTHER_WORDS, true);
  await keeper.settle();
  keeper.now.lookFails = false;
  await keeper.advance(200);
  expect(keeper.put).toEqual(["all"]);
});

test("it ends when it is told to, with no timer left and the rules as they are", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  await keeper.stop();
  expect([keeper.untilNext(), keeper.put]).toEqual([undefined, []]);
});

test("asked for the release it lets go, tells it, and ends by itself with the rules as they are", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  keeper.now.isReleaseAsked = true;
  await keeper.damage([DROP]);
  await keeper.kept;
  expect([keeper.now.isReleaseAsked, keeper.put, keeper.events, keeper.untilNext()]).toEqual([
    false,
    [],
    [{ kind: "rules-released", backend: "nftables" }],
    undefined,
  ]);
});

test("the default route is followed after each repair, and otherwise when it is time", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  await keeper.damage([DROP]);
  await keeper.advance(30_000);
  expect(keeper.followed).toEqual(["when it is time", "due", "when it is time"]);
});

test("it waits for its turn, and finds then what the change before it has left", async () => {
  const keeper = startKeeper();
  await keeper.settle();
  const change = Promise.withResolvers<void>();
  const turn = keeper.inTurn(() => change.promise);
  await keeper.damage([DROP]);
  expect(keeper.put).toEqual([]);
  keeper.now.missing = [];
  change.resolve();
  await turn;
  await keeper.settle();
  expect(keeper.put).toEqual([]);
});

test("after a change of ours it learns the tool's words anew, and tells of them once", async () => {
  const [asked, listed] = IN_OTHER_WORDS;
  const keeper = startKeeper([asked, listed]);
  await keeper.settle();
  const [askedNow, listedNow] = IN_OTHER_WORDS.map((one) => ({ ...one, chain: "pre" }));
  keeper.now.missing = [askedNow, listedNow].filter((one) => one !== undefined);
  await keeper.learnWording();
  await keeper.damage(keeper.now.missing);
  expect([keeper.put, keeper.events.map(({ kind }) => kind)]).toEqual([[], ["rules-note"]]);
  // What it had learnt before is no longer this tool's word.
  await keeper.damage([asked, listed]);
  expect(keeper.put).toEqual(["all"]);
});
