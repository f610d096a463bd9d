import { describe, expect, test } from "vitest";
import { DENIED, DOWN, eventsOf, grantOf, MINUTE, pass } from "./scripted.ts";
import { FIRST, HOUR, SECOND, slowDown, startLeases } from "./scripted-leases.ts";

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

  test("and is short is served at once while a call after a failed one hangs", async () => {
    const { clock, sts, leases, key } = startLeases();
    await key();
    sts.always = DOWN;
    await pass(clock, 40 * MINUTE);
    sts.always = "hang";
    await pass(clock, 30_000);
    const { length } = sts.calls;
    expect(await key()).toBe(FIRST);
    expect(await leases.leaseFor(grantOf())).toMatchObject({ kind: "lease" });
    expect(sts.calls).toHaveLength(length);
  });
});
