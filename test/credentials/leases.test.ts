import { describe, expect, onTestFinished, test } from "vitest";
import { Leases } from "../../src/credentials/leases.ts";
import { createMint } from "../../src/credentials/mint.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, BASE_REFUSED, DENIED, DOWN, eventsOf, grantOf, MINUTE, pass, type ScriptedSts, scriptedSts, THROTTLED } from "./scripted.ts";

const HOUR = 60 * MINUTE;

/** Leases on a scripted STS. Randomness is `jitter`, so that every wait is that part of its longest. */
function startLeases({ jitter = 0.5, isRunning = true } = {}) {
  const clock = handMovedClock();
  const sts = scriptedSts(clock);
  const events: ImdsgateEvent[] = [];
  const emit = (event: ImdsgateEvent) => void events.push(event);
  const base = { current: async () => BASE, renewed: async () => BASE };
  const mint = createMint({ sts, base, hostFacts: () => ({ region: "eu-central-1", partition: "aws", account: undefined }), clock, emit });
  const leases = new Leases({ mint, clock, random: () => jitter, emit });
  const stopping = new AbortController();
  const run = isRunning ? leases.run(stopping.signal) : Promise.resolve();
  const stop = async () => {
    stopping.abort();
    await run;
  };
  onTestFinished(stop);
  const key = async (grant = grantOf()) => {
    const outcome = await leases.leaseFor(grant);
    return outcome.kind === "lease" ? outcome.lease.accessKeyId : outcome.kind;
  };
  return { clock, sts, events, leases, stop, key };
}

/** From now on `sts` answers only when the returned function was called. */
function slowDown(sts: ScriptedSts): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const prompt = sts.assumeRole;
  sts.assumeRole = async (...call) => {
    await promise;
    return await prompt(...call);
  };
  return resolve;
}

const FIRST = "ASIA0000000000000001";
const SECOND = "ASIA0000000000000002";

describe("asking for a lease", () => {
  test("calls STS once, and not again for what is fresh", async () => {
    const { clock, sts, key } = startLeases();
    expect(await key()).toBe(FIRST);
    await pass(clock, 20 * MINUTE);
    expect(await key()).toBe(FIRST);
    expect(sts.calls).toHaveLength(1);
  });

  test("a hundred times at once is one call", async () => {
    const { sts, key } = startLeases();
    expect(new Set(await Promise.all(Array.from({ length: 100 }, () => key())))).toEqual(new Set([FIRST]));
    expect(sts.calls).toHaveLength(1);
  });

  test.for([
    { title: "role", over: { roleName: "other" } },
    { title: "session name", over: { sessionName: "db-aaaaaaaaaaaa" } },
    { title: "external id", over: { externalId: "partner-7f3a" } },
    { title: "duration", over: { durationSeconds: 1800 } },
  ])("with another $title gives another lease, made for it", async ({ over }) => {
    const { sts, leases } = startLeases();
    const other = grantOf(over);
    const [first, second] = await Promise.all([leases.leaseFor(grantOf()), leases.leaseFor(other)]);
    expect(first).toMatchObject({ lease: { accessKeyId: FIRST } });
    expect(second).toMatchObject({ lease: { accessKeyId: SECOND, roleArn: other.role.arn, sessionName: other.sessionName } });
    expect(sts.calls.map(({ request }) => request)).toEqual(
      [grantOf(), other].map(({ role, sessionName, externalId, durationSeconds }) => ({
        roleArn: role.arn,
        sessionName,
        externalId,
        durationSeconds,
      })),
    );
  });

  test("waits for a slow STS, but for five seconds at most", async () => {
    const { clock, sts, leases } = startLeases({ isRunning: false });
    const answerNow = slowDown(sts);
    const asked = leases.leaseFor(grantOf());
    await pass(clock, 4_999);
    answerNow();
    expect(await asked).toMatchObject({ lease: { accessKeyId: FIRST } });

    sts.always = "hang";
    const inVain = leases.leaseFor(grantOf({ roleName: "other" }));
    await pass(clock, 5_000);
    expect(await inVain).toEqual({ kind: "unavailable" });
  });

  test("tries three times in all before it gives up, then not again within the backoff", async () => {
    const { clock, sts, leases, key } = startLeases({ isRunning: false });
    sts.always = THROTTLED;
    const asked = leases.leaseFor(grantOf());
    await pass(clock, 300);
    expect(await asked).toEqual({ kind: "unavailable" });
    expect(sts.calls.map(({ at }) => at - (sts.calls[0]?.at ?? 0))).toEqual([0, 50, 150]);
    expect(await key()).toBe("unavailable");
    expect(sts.calls).toHaveLength(3);
    sts.always = "ok";
    await pass(clock, 500);
    expect(await key()).toBe("ASIA0000000000000004");
  });

  test("hears of a denial at once, and of a mended one after a minute", async () => {
    const { clock, sts, leases, key } = startLeases();
    sts.always = DENIED;
    const deniedAt = clock.now();
    expect(await leases.leaseFor(grantOf())).toEqual({ kind: "denied", deniedAt });
    sts.always = "ok";
    await pass(clock, 59_999);
    expect(await leases.leaseFor(grantOf())).toEqual({ kind: "denied", deniedAt });
    expect(sts.calls).toHaveLength(1);
    await pass(clock, 1);
    expect(await key()).toBe(SECOND);
  });

  test("has nothing when our own credentials are refused, and does not try them three times", async () => {
    const { sts, key } = startLeases();
    sts.always = BASE_REFUSED;
    expect(await key()).toBe("unavailable");
    expect(sts.calls).toHaveLength(2);
  });

  test("tells an unforeseen throw as a bug", async () => {
    const { sts, events, key } = startLeases();
    sts.assumeRole = () => Promise.reject(new TypeError("oops"));
    expect(await key()).toBe("unavailable");
    expect(eventsOf(events, "bug")).toMatchObject([{ where: "leases", message: "oops" }]);
  });
});

describe("a lease that grows old", () => {
  test("is renewed behind the scenes with 33 to 36 minutes left", async () => {
    const { clock, sts, events, key } = startLeases({ jitter: 0.5 });
    await key();
    await pass(clock, 25.5 * MINUTE - 1);
    expect(sts.calls).toHaveLength(1);
    await pass(clock, 1);
    expect(sts.calls).toHaveLength(2);
    expect(await key()).toBe(SECOND);
    expect(eventsOf(events, "sts-call").map(({ purpose }) => purpose)).toEqual(["request", "renewal"]);
  });

  test("is renewed for ever while nobody asks", async () => {
    const { clock, sts, key } = startLeases();
    await key();
    await pass(clock, 10 * HOUR);
    expect(sts.calls).toHaveLength(1 + Math.floor((10 * 60) / 25.5));
    expect(await key()).toBe(`ASIA${`${sts.calls.length}`.padStart(16, "0")}`);
  });

  test("is served while STS is down, to its last second and no further", async () => {
    const { clock, sts, key } = startLeases();
    await key();
    sts.always = DOWN;
    for (let minute = 1; minute < 60; minute += 1) {
      await pass(clock, MINUTE);
      expect(await key()).toBe(FIRST);
    }
    await pass(clock, MINUTE - 1_000);
    expect(await key()).toBe(FIRST);
    await pass(clock, 1);
    expect(await key()).toBe("unavailable");
  });

  test("is back within one backoff after an outage that outlived it", async () => {
    const { clock, sts, key } = startLeases();
    await key();
    sts.always = DOWN;
    await pass(clock, 2 * HOUR);
    expect(await key()).toBe("unavailable");
    sts.always = "ok";
    await pass(clock, 30_000);
    expect(await key()).toMatch(/^ASIA/);
  });

  test("is served to its end when the role is denied from now on", async () => {
    const { clock, sts, key } = startLeases();
    await key();
    sts.always = DENIED;
    await pass(clock, 59 * MINUTE);
    expect(await key()).toBe(FIRST);
    await pass(clock, MINUTE);
    expect(await key()).toBe("denied");
  });

  test("and is short is renewed within the request", async () => {
    const { clock, key } = startLeases({ isRunning: false });
    await key();
    await pass(clock, 40 * MINUTE);
    expect(await key()).toBe(SECOND);
  });

  test("and is due is served at once and renewed behind", async () => {
    const { clock, key } = startLeases({ isRunning: false });
    await key();
    await pass(clock, 30 * MINUTE);
    expect(await key()).toBe(FIRST);
    await pass(clock, 0);
    expect(await key()).toBe(SECOND);
  });

  test("and is short is served after 400 ms when STS is slow; the call goes on for the next", async () => {
    const { clock, sts, leases, key } = startLeases({ isRunning: false });
    await key();
    await pass(clock, 40 * MINUTE);
    const answerNow = slowDown(sts);
    let answered: unknown;
    void leases.leaseFor(grantOf()).then((outcome) => {
      answered = outcome;
    });
    await pass(clock, 399);
    expect(answered).toBeUndefined();
    await pass(clock, 1);
    expect(answered).toMatchObject({ kind: "lease", lease: { accessKeyId: FIRST } });
    answerNow();
    await pass(clock, 0);
    expect(await key()).toBe(SECOND);
    expect(sts.calls).toHaveLength(2);
  });

  test("and is short is served at once within the backoff of a failure", async () => {
    const { clock, sts, leases, key } = startLeases({ isRunning: false });
    await key();
    await pass(clock, 40 * MINUTE);
    sts.always = DOWN;
    const asked = leases.leaseFor(grantOf());
    await pass(clock, 400);
    expect(await asked).toMatchObject({ lease: { accessKeyId: FIRST } });
    const calls = sts.calls.length;
    expect(await key()).toBe(FIRST);
    expect(sts.calls).toHaveLength(calls);
  });
});

describe("a prefetched lease", () => {
  test("is there before it is asked for", async () => {
    const { clock, sts, events, leases, key } = startLeases();
    leases.prefetch(grantOf());
    leases.prefetch(grantOf());
    await pass(clock, 0);
    expect(eventsOf(events, "sts-call").map(({ purpose, outcome }) => ({ purpose, outcome }))).toEqual([
      { purpose: "prefetch", outcome: "ok" },
    ]);
    expect(await key()).toBe(FIRST);
    expect(sts.calls).toHaveLength(1);
  });

  test("is tried again until STS is back", async () => {
    const { clock, sts, leases, key } = startLeases();
    sts.always = DOWN;
    leases.prefetch(grantOf());
    await pass(clock, 10 * MINUTE);
    sts.always = "ok";
    await pass(clock, 30_000);
    const { length } = sts.calls;
    expect(await key()).toBe(`ASIA${`${length}`.padStart(16, "0")}`);
    expect(sts.calls).toHaveLength(length);
  });

  test("that is denied is not tried again unasked", async () => {
    const { clock, sts, leases } = startLeases();
    sts.always = DENIED;
    leases.prefetch(grantOf());
    await pass(clock, HOUR);
    expect(sts.calls).toHaveLength(1);
  });
});

test("the time of issue is that of the lease that would be served", async () => {
  const { clock, leases, key } = startLeases({ isRunning: false });
  expect(leases.issuedAt(grantOf())).toBeUndefined();
  await key();
  const issuedAt = clock.now();
  await pass(clock, 59 * MINUTE);
  expect(leases.issuedAt(grantOf())).toBe(issuedAt);
  expect(leases.issuedAt(grantOf({ sessionName: "db-1" }))).toBeUndefined();
  await pass(clock, MINUTE);
  expect(leases.issuedAt(grantOf())).toBeUndefined();
});

describe("the end of leases", () => {
  test("a dropped one is neither served nor renewed", async () => {
    const { clock, sts, leases, key } = startLeases();
    await key();
    leases.drop(grantOf());
    await pass(clock, HOUR);
    expect(sts.calls).toHaveLength(1);
    expect(await key()).toBe(SECOND);
  });

  test("one that is dropped while STS is asked does not come back", async () => {
    const { clock, sts, leases } = startLeases();
    leases.prefetch(grantOf());
    leases.drop(grantOf());
    await pass(clock, HOUR);
    expect(sts.calls).toHaveLength(1);
  });

  test("a stop ends calls and timers, and what is fresh is still served", async () => {
    const { clock, sts, leases, key, stop } = startLeases();
    await key();
    sts.always = "hang";
    const other = leases.leaseFor(grantOf({ roleName: "other" }));
    await stop();
    expect(await other).toEqual({ kind: "unavailable" });
    expect(clock.untilNext()).toBeUndefined();
    expect(await key()).toBe(FIRST);
    expect(await key(grantOf({ roleName: "third" }))).toBe("unavailable");
  });
});
