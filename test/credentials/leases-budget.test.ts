import { describe, expect, test } from "vitest";
import { backoffMs } from "../../src/credentials/backoff.ts";
import type { Lease } from "../../src/credentials/lease.ts";
import { newEntry, urgencyOf } from "../../src/credentials/lease-entry.ts";
import type { Urgency } from "../../src/credentials/sts-budget.ts";
import { BASE_REFUSED, DOWN, eventsOf, grantOf, MINUTE, pass, THROTTLED } from "./scripted.ts";
import { slowDown, startLeases } from "./scripted-leases.ts";

const LEASE = {
  roleArn: "arn:aws:iam::111122223333:role/app",
  sessionName: "web",
  sourceIdentity: undefined,
  accessKeyId: "ASIA0000000000000001",
  secretAccessKey: "secretAccessKeyOfTheTests1",
  sessionToken: "sessionTokenOfTheTests1",
};

function grantNo(number: number) {
  return grantOf({ sessionName: `web-${number}` });
}

/** Leases whose budget is used up by `waiting` others more than it holds. */
async function startBusy(waiting = 0, options: Parameters<typeof startLeases>[0] = {}) {
  const started = startLeases(options);
  for (let number = 0; number < 50 + waiting; number += 1) started.leases.prefetch(grantNo(number));
  await pass(started.clock, 0);
  const callsOf = (sessionName: string) => started.sts.calls.filter(({ request }) => request.sessionName === sessionName).length;
  const waits = () => eventsOf(started.events, "sts-call").map(({ waitedMs, waitedFor }) => ({ waitedMs, waitedFor }));
  return { ...started, callsOf, waits };
}

describe("a thousand new workloads at once", () => {
  test("all have leases within 100 s; a request waits 5 s at most; none fails after that", { timeout: 60_000 }, async () => {
    const { clock, sts, leases } = startLeases();
    const startedAt = clock.now();
    const waits: number[] = [];
    const failedAt: number[] = [];
    const mintedAt: number[] = [];
    const askUntilServed = async (number: number): Promise<void> => {
      const askedAt = clock.now();
      const { kind } = await leases.leaseFor(grantNo(number));
      waits.push(clock.now() - askedAt);
      if (kind === "lease") return void mintedAt.push(clock.now() - startedAt);
      failedAt.push(clock.now() - startedAt);
      clock.after(1_000, () => void askUntilServed(number));
    };
    for (let number = 0; number < 1_000; number += 1) void askUntilServed(number);
    await pass(clock, 100_000);
    expect(mintedAt).toHaveLength(1_000);
    expect(Math.max(...waits)).toBe(5_000);
    expect(failedAt.length).toBeGreaterThan(0);
    expect(Math.max(...failedAt)).toBeLessThanOrEqual(95_000);
    expect(sts.calls).toHaveLength(1_000);
    for (let number = 0; number < 1_000; number += 1) expect(await leases.leaseFor(grantNo(number))).toMatchObject({ kind: "lease" });
  });

  test("are made ready within 95 s, and whoever asks meanwhile waits for a tenth of a second", async () => {
    const { clock, sts, leases, key } = await startBusy(950);
    await pass(clock, 10_000);
    const askedAt = clock.now();
    const fresh = key(grantOf({ sessionName: "new" }));
    await pass(clock, 100);
    expect([await fresh, clock.now() - askedAt]).toEqual([expect.stringMatching(/^ASIA/), 100]);
    const joined = key(grantNo(999));
    await pass(clock, 100);
    expect(await joined).toMatch(/^ASIA/);
    await pass(clock, 95_100 - 10_200);
    expect(sts.calls).toHaveLength(1_001);
    expect(leases.issuedAt(grantNo(998))).toBeDefined();
  });
});

describe("a flight in the queue of the budget", () => {
  test("goes on when the request that it is for gives up, and is there for the next one", async () => {
    const { clock, callsOf, key } = await startBusy();
    const asked = Array.from({ length: 60 }, (_, number) => key(grantNo(100 + number)));
    await pass(clock, 5_000);
    expect((await Promise.all(asked)).filter((outcome) => outcome === "unavailable")).toHaveLength(11);
    expect(callsOf("web-159")).toBe(0);
    await pass(clock, 1_000);
    expect(await key(grantNo(159))).toMatch(/^ASIA/);
    expect(callsOf("web-159")).toBe(1);
  });

  test("leaves it when its lease is dropped: no call is made for it, and none waits behind it", async () => {
    const { clock, callsOf, leases } = await startBusy(2);
    leases.drop(grantNo(50));
    await pass(clock, 100);
    expect([callsOf("web-50"), callsOf("web-51")]).toEqual([0, 1]);
    await pass(clock, MINUTE);
    expect(callsOf("web-50")).toBe(0);
  });

  test("ends with the run, and leaves no timer", async () => {
    const { clock, sts, leases, stop } = await startBusy(10);
    await stop();
    expect(clock.untilNext()).toBeUndefined();
    expect(sts.calls).toHaveLength(50);
    expect(await leases.leaseFor(grantNo(55))).toEqual({ kind: "unavailable" });
  });

  test("goes before prefetches when its lease is short, and after them when it is not", async () => {
    const { clock, leases, callsOf, key } = await startBusy(-50, { isRunning: false });
    await key(grantOf({ sessionName: "short" }));
    await pass(clock, 5 * MINUTE);
    await key(grantOf({ sessionName: "due" }));
    await pass(clock, 30 * MINUTE);
    for (let number = 0; number < 60; number += 1) leases.prefetch(grantNo(number));
    void key(grantOf({ sessionName: "due" }));
    void key(grantOf({ sessionName: "short" }));
    await pass(clock, 100);
    expect([callsOf("short"), callsOf("web-50"), callsOf("due")]).toEqual([2, 0, 1]);
    await pass(clock, 1_000);
    expect([callsOf("web-59"), callsOf("due")]).toEqual([1, 1]);
    await pass(clock, 100);
    expect(callsOf("due")).toBe(2);
  });

  test("of a short lease holds each request up for 400 ms at most, and none that comes later", async () => {
    const { clock, leases, key } = startLeases({ isRunning: false });
    const short = grantOf({ sessionName: "short" });
    const first = await key(short);
    await pass(clock, 40 * MINUTE);
    for (let number = 0; number < 55; number += 1) void leases.leaseFor(grantNo(number));
    await pass(clock, 0);
    for (let number = 100; number < 110; number += 1) void leases.leaseFor(grantNo(number));
    const asked = key(short);
    await pass(clock, 400);
    expect(await asked).toBe(first);
    expect(await key(short)).toBe(first);
  });
});

describe("an answer of STS", () => {
  test("that comes within its own five seconds, after who asked for it had left, is there for the next one", async () => {
    const { clock, sts, callsOf, key } = await startBusy(0, { isRunning: false });
    const asked = Array.from({ length: 30 }, (_, number) => key(grantNo(100 + number)));
    await pass(clock, 2_900);
    const answerNow = slowDown(sts);
    await pass(clock, 2_100);
    expect([await asked.at(-1), callsOf("web-129")]).toEqual(["unavailable", 0]);
    await pass(clock, 2_999);
    answerNow();
    await pass(clock, 0);
    expect(await key(grantNo(129))).toMatch(/^ASIA/);
    expect(callsOf("web-129")).toBe(1);
  });

  test("is not waited for longer than five seconds, however long its call had waited for the budget", async () => {
    const { clock, sts, events, leases } = await startBusy(30);
    await pass(clock, 2_900);
    slowDown(sts);
    await pass(clock, 5_000);
    expect(eventsOf(events, "sts-call").filter(({ outcome }) => outcome === "unavailable")).toEqual([]);
    await pass(clock, 100);
    expect(eventsOf(events, "sts-call").at(-1)).toMatchObject({
      outcome: "unavailable",
      waitedMs: 3_000,
      waitedFor: "budget",
      durationMs: 5_000,
    });
    expect(leases.issuedAt(grantNo(79))).toBeUndefined();
  });
});

describe("what a call waited for", () => {
  test("is nothing, the pause of a retry, or the backoff after a failure", async () => {
    const { clock, sts, leases, waits } = await startBusy(-50);
    sts.turns.push(THROTTLED, DOWN, THROTTLED);
    leases.prefetch(grantOf());
    await pass(clock, 1_000);
    expect(waits()).toEqual([
      { waitedMs: 0, waitedFor: undefined },
      { waitedMs: 50, waitedFor: "retry" },
      { waitedMs: 100, waitedFor: "retry" },
      { waitedMs: 500, waitedFor: "backoff" },
    ]);
  });

  test("is told of that call alone, not of the next one with renewed keys", async () => {
    const { clock, sts, leases, waits } = await startBusy(-50);
    sts.turns.push(THROTTLED, THROTTLED, THROTTLED, BASE_REFUSED);
    leases.prefetch(grantOf());
    await pass(clock, 1_000);
    expect(waits().slice(3)).toEqual([
      { waitedMs: 500, waitedFor: "backoff" },
      { waitedMs: 0, waitedFor: undefined },
    ]);
  });

  test("is the budget, where that took longer", async () => {
    const { clock, sts, waits } = await startBusy(3);
    sts.turns.push(THROTTLED, THROTTLED, THROTTLED);
    await pass(clock, 1_500);
    expect(waits().slice(50)).toEqual([
      { waitedMs: 100, waitedFor: "budget" },
      { waitedMs: 200, waitedFor: "budget" },
      { waitedMs: 300, waitedFor: "budget" },
      { waitedMs: 300, waitedFor: "budget" },
      { waitedMs: 300, waitedFor: "budget" },
      { waitedMs: 300, waitedFor: "budget" },
    ]);
  });
});

test("each call takes its turn: tries after a failure, and those with renewed keys", async () => {
  const { clock, sts, leases } = startLeases();
  sts.always = BASE_REFUSED;
  for (let number = 0; number < 40; number += 1) leases.prefetch(grantNo(number));
  await pass(clock, 0);
  expect(sts.calls).toHaveLength(50);
  sts.always = THROTTLED;
  await pass(clock, 1_000);
  expect(sts.calls).toHaveLength(60);
});

describe("how much a flight is wanted", () => {
  const lease: Lease = { ...LEASE, issuedAt: 0, expiresAt: 60 * MINUTE };

  test.for<{ title: string; waiters?: number; lease?: Lease; minute: number; urgency: Urgency }>([
    { title: "a prefetch without a lease", minute: 0, urgency: "prefetch" },
    { title: "one that a request waits for", waiters: 1, minute: 0, urgency: "request" },
    { title: "one of a lease that is due", lease, minute: 30, urgency: "renewal" },
    { title: "the same four minutes later", lease, minute: 34.1, urgency: "short" },
    { title: "one of a lease that has expired", lease, minute: 60, urgency: "prefetch" },
    { title: "one of such a lease that a request waits for", lease, waiters: 2, minute: 60, urgency: "request" },
  ])("is $urgency for $title", ({ waiters = 0, minute, urgency, ...held }) => {
    expect(urgencyOf({ ...newEntry(grantOf()), waiters, lease: held.lease }, minute * MINUTE)).toBe(urgency);
  });
});

test.for([
  { failures: 1, longestMs: 1_000 },
  { failures: 2, longestMs: 2_000 },
  { failures: 5, longestMs: 16_000 },
  { failures: 6, longestMs: 30_000 },
  { failures: 5_000, longestMs: 30_000 },
])("after $failures failed flights a lease backs off for up to $longestMs ms, any part of it", ({ failures, longestMs }) => {
  expect([0, 0.25, 1].map((random) => backoffMs(failures, () => random))).toEqual([0, longestMs / 4, longestMs]);
});
