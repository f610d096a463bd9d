import { describe, expect, test } from "vitest";
import { requestFor } from "../../src/credentials/assume-role.ts";
import { BASE_REFUSED, DENIED, DOWN, eventsOf, grantOf, MINUTE, pass, THROTTLED } from "./scripted.ts";
import { FIRST, HOUR, SECOND, slowDown, startLeases } from "./scripted-leases.ts";

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
    { title: "source identity", over: { sourceIdentity: "somebody" } },
    { title: "tag", over: { tags: [{ key: "team", value: "blue", isTransitive: false }] } },
    { title: "policy", over: { policyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"] } },
  ])("with another $title gives another lease, made for it", async ({ over }) => {
    const { sts, leases } = startLeases();
    const other = grantOf(over);
    const [first, second] = await Promise.all([leases.leaseFor(grantOf()), leases.leaseFor(other)]);
    expect(first).toMatchObject({ lease: { accessKeyId: FIRST } });
    expect(second).toMatchObject({ lease: { accessKeyId: SECOND, roleArn: other.role.arn, sessionName: other.sessionName } });
    expect(sts.calls.map(({ request }) => request)).toEqual([grantOf(), other].map((grant) => requestFor(grant, grant.durationSeconds)));
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

  test.for([
    { title: "a denial", turn: DENIED },
    { title: "an outage", turn: DOWN },
  ])("is asked for after $title at once where the clock was set back, not as much later", async ({ turn }) => {
    const { clock, sts, leases, key } = startLeases({ jitter: 1 });
    sts.always = turn;
    leases.prefetch(grantOf());
    await pass(clock, 500);
    sts.always = "ok";
    clock.leap(-24 * HOUR);
    expect(await key()).toMatch(/^ASIA/);
  });

  test("has nothing when our own credentials are refused, and does not try them three times", async () => {
    const { sts, key } = startLeases();
    sts.always = BASE_REFUSED;
    expect(await key()).toBe("unavailable");
    expect(sts.calls).toHaveLength(2);
  });

  test("comes at once when the Region is known at last, however often it was asked for before", async () => {
    const { sts, events, leases, key, tellRegion } = startLeases({ isRegionKnown: false });
    leases.prefetch(grantOf());
    for (let asked = 0; asked < 10; asked += 1) expect(await key()).toBe("unavailable");
    expect([sts.calls, events]).toEqual([[], []]);
    tellRegion();
    expect(await key()).toBe(FIRST);
  });

  test("tells an unforeseen throw as a bug", async () => {
    const { sts, events, key } = startLeases();
    sts.assumeRole = () => Promise.reject(new TypeError("oops"));
    expect(await key()).toBe("unavailable");
    expect(eventsOf(events, "bug")).toMatchObject([{ where: "leases", message: "oops" }]);
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

  test("is tried again unasked also where the clock was set back by less than the backoff", async () => {
    const { clock, sts, leases } = startLeases({ jitter: 1 });
    sts.always = DENIED;
    await leases.leaseFor(grantOf());
    sts.always = DOWN;
    await pass(clock, MINUTE);
    const failed = leases.leaseFor(grantOf());
    await pass(clock, 400);
    await failed;
    const { length } = sts.calls;
    clock.leap(-100);
    await pass(clock, 2_000);
    expect(sts.calls.length).toBeGreaterThan(length);
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
    sts.always = "hang";
    leases.prefetch(grantOf());
    await pass(clock, 0);
    leases.drop(grantOf());
    sts.always = "ok";
    await pass(clock, HOUR);
    expect(sts.calls).toHaveLength(1);
  });

  test("one that is dropped while STS is asked is not waited for: who comes back has another at once", async () => {
    const { clock, sts, leases, key } = startLeases();
    sts.always = "hang";
    const asked = key();
    await pass(clock, 0);
    leases.drop(grantOf());
    sts.always = "ok";
    expect([await asked, await key()]).toEqual(["unavailable", SECOND]);
    expect(sts.calls).toHaveLength(2);
  });

  test("one that is dropped while it waits for its turn asks nothing of STS", async () => {
    const { clock, sts, leases, events } = startLeases();
    for (let role = 0; role < 50; role += 1) leases.prefetch(grantOf({ roleName: `role-${role}` }));
    leases.prefetch(grantOf({ roleName: "gone" }));
    leases.drop(grantOf({ roleName: "gone" }));
    await pass(clock, 10_000);
    expect(sts.calls.map(({ request }) => request.roleArn)).not.toContain(grantOf({ roleName: "gone" }).role.arn);
    expect(eventsOf(events, "sts-call")).toHaveLength(50);
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
