import { describe, expect, test } from "vitest";
import { DOWN, eventsOf, grantOf, MINUTE, pass } from "./scripted.ts";
import { FIRST, HOUR, SECOND, slowDown, startLeases } from "./scripted-leases.ts";

const OTHER = grantOf({ roleName: "other" });

describe("leases that were handed over", () => {
  test("are served by the next gateway with no call to STS, and renewed when they would have been", async () => {
    const before = startLeases({ jitter: 0.5 });
    await before.key();
    const handed = await before.leases.handOver();
    expect(handed).toMatchObject([{ jitter: 0.5, lease: { accessKeyId: FIRST } }]);
    const { clock, sts, key, leases } = startLeases({ jitter: 0, handed });
    leases.prefetch(grantOf());
    expect(await key()).toBe(FIRST);
    await pass(clock, 25.5 * MINUTE - 1);
    expect(sts.calls).toHaveLength(0);
    await pass(clock, 1);
    expect(sts.calls).toHaveLength(1);
  });

  test("are asked for anew where the configuration wants another session", async () => {
    const before = startLeases();
    await before.key();
    const { sts, key } = startLeases({ handed: await before.leases.handOver() });
    await key(OTHER);
    expect(sts.calls.map(({ request }) => request.roleArn)).toEqual([OTHER.role.arn]);
  });

  test("and that nobody has asked for within five minutes are forgotten", async () => {
    const before = startLeases();
    await before.key();
    const { clock, sts, key } = startLeases({ handed: await before.leases.handOver() });
    await pass(clock, 5 * MINUTE);
    await key();
    expect(sts.calls).toHaveLength(1);
  });

  test("are none that are over", async () => {
    const { clock, sts, key, leases } = startLeases();
    await key();
    sts.always = DOWN;
    await pass(clock, HOUR);
    expect(await leases.handOver()).toEqual([]);
  });

  test("hold one that was under way", async () => {
    const { sts, key, leases } = startLeases();
    const answer = slowDown(sts);
    const asked = key();
    const handed = leases.handOver();
    answer();
    expect(await handed).toMatchObject([{ lease: { accessKeyId: FIRST } }]);
    await asked;
  });
});

describe("a gateway that has handed its leases over", () => {
  test("serves them and renews none, not even a short one that is asked for", async () => {
    const { clock, sts, key, leases } = startLeases();
    await key();
    await leases.handOver();
    for (const minutes of [30, 10, 19]) {
      await pass(clock, minutes * MINUTE);
      expect(await key()).toBe(FIRST);
    }
    expect(sts.calls).toHaveLength(1);
  });

  test("makes a first lease for who asks, and none unasked", async () => {
    const { sts, events, key, leases } = startLeases();
    await leases.handOver();
    leases.prefetch(OTHER);
    expect(sts.calls).toHaveLength(0);
    expect(await key()).toBe(FIRST);
    expect(eventsOf(events, "sts-call").map(({ purpose }) => purpose)).toEqual(["request"]);
  });

  test("renews again, and has ready what it was asked to, when nobody takes its place", async () => {
    const { clock, sts, key, leases } = startLeases({ jitter: 0.5 });
    await key();
    await leases.handOver();
    leases.prefetch(OTHER);
    leases.goOn();
    await pass(clock, 0);
    expect(sts.calls).toHaveLength(2);
    expect(await key(OTHER)).toBe(SECOND);
    await pass(clock, 25.5 * MINUTE);
    expect(sts.calls).toHaveLength(4);
  });
});
