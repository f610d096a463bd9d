import { describe, expect, test } from "vitest";
import { createPrefetch } from "../../src/credentials/prefetch.ts";
import type { Workload } from "../../src/identity/workload.ts";
import { grantOf, MINUTE, pass } from "./scripted.ts";
import { callsBySecond, mostOverTenASecond, passQuickly, startFleet } from "./scripted-fleet.ts";
import { FIRST, HOUR, SECOND, startLeases } from "./scripted-leases.ts";

/** Leases that are made ready for the workloads that are here. */
function startPrefetched() {
  const started = startLeases();
  const { clock, leases } = started;
  const prefetch = createPrefetch({ clock, leases, decide: ({ name }) => ({ kind: "grant", grant: grantOf({ sessionName: name }) }) });
  return { ...started, prefetch };
}

function workloadOf(name: string): Workload {
  return { kind: "container", name, id: name, image: "app", labels: {}, networks: [], addresses: [] };
}

const WEB = workloadOf("web");
const WEB_GRANT = grantOf({ sessionName: "web" });

describe("a thousand leases", () => {
  test("that started together are renewed apart: within three minutes and more, 20 in a second at most", async () => {
    const { clock, sts, leases, grants } = startFleet(1_000);
    for (const grant of grants) leases.prefetch(grant);
    await passQuickly(clock, 2 * MINUTE);
    const startedAt = clock.now();
    expect(sts.calls).toHaveLength(1_000);
    await passQuickly(clock, 30 * MINUTE);
    expect(sts.calls).toHaveLength(2_000);
    const bySecond = callsBySecond(sts, startedAt);
    expect(Math.max(...bySecond.values())).toBeLessThanOrEqual(20);
  });
});

describe("a thousand workloads at once", () => {
  test("have their leases within 100 s; who asks waits 5 s at most, and gets none only in that time", async () => {
    const { clock, sts, leases, grants, answers, askAtTheirRhythm } = startFleet(1_000);
    const startedAt = clock.now();
    for (const grant of grants) leases.prefetch(grant);
    askAtTheirRhythm();
    await passQuickly(clock, 100_000);
    expect(grants.filter((grant) => leases.issuedAt(grant) === undefined)).toEqual([]);
    await passQuickly(clock, 10 * MINUTE);
    expect(answers.filter(({ askedAt, answeredAt }) => answeredAt - askedAt > 5_000)).toEqual([]);
    const without = answers.filter(({ kind }) => kind !== "lease");
    expect(without.filter(({ kind, answeredAt }) => kind !== "unavailable" || answeredAt > startedAt + 100_000)).toEqual([]);
    expect(mostOverTenASecond(sts)).toBe(50);
  });
});

describe("the lease of a workload", () => {
  test("is there before it asks, and a hundred questions meanwhile are no second call", async () => {
    const { clock, sts, prefetch, key } = startPrefetched();
    prefetch.seen(WEB);
    const keys = await Promise.all(Array.from({ length: 100 }, () => key(WEB_GRANT)));
    await pass(clock, 0);
    expect([new Set(keys), await key(WEB_GRANT), sts.calls.length]).toEqual([new Set([FIRST]), FIRST, 1]);
  });

  test("is neither renewed nor kept once the workload was gone for five minutes", async () => {
    const { clock, sts, leases, prefetch } = startPrefetched();
    prefetch.seen(WEB);
    await pass(clock, MINUTE);
    prefetch.gone(WEB);
    await pass(clock, 5 * MINUTE - 1);
    expect(leases.issuedAt(WEB_GRANT)).toBeDefined();
    await pass(clock, 1);
    expect(leases.issuedAt(WEB_GRANT)).toBeUndefined();
    await pass(clock, 2 * HOUR);
    expect([sts.calls.length, clock.untilNext()]).toEqual([1, undefined]);
  });

  test("is kept and renewed when the workload comes back in time", async () => {
    const { clock, sts, prefetch, key } = startPrefetched();
    prefetch.seen(WEB);
    await pass(clock, MINUTE);
    prefetch.gone(WEB);
    await pass(clock, 5 * MINUTE - 1);
    prefetch.seen(WEB);
    await pass(clock, 5 * MINUTE);
    expect([await key(WEB_GRANT), sts.calls.length]).toEqual([FIRST, 1]);
    await pass(clock, 20 * MINUTE);
    expect([await key(WEB_GRANT), sts.calls.length]).toEqual([SECOND, 2]);
  });
});
