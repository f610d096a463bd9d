import { describe, expect, test } from "vitest";
import { MINUTE } from "./scripted.ts";
import { type FleetAnswer, mostOverTenASecond, OUTAGES, type Outage, passQuickly, startFleet } from "./scripted-fleet.ts";
import { HOUR } from "./scripted-leases.ts";

const WORKLOADS = 100;
/** One backoff step and one call: the longest backoff, and the limit of a call. */
const STEP_MS = 30_000 + 5_000;
const KINDS = Object.keys(OUTAGES) as Outage[];

/** A fleet that asks through an outage of two hours, and a quarter of an hour after it. */
async function outlast(outage: Outage) {
  const fleet = startFleet(WORKLOADS);
  for (const grant of fleet.grants) fleet.leases.prefetch(grant);
  fleet.askAtTheirRhythm();
  await passQuickly(fleet.clock, 10 * MINUTE);
  const begunAt = fleet.clock.now();
  fleet.setOutage(outage);
  await passQuickly(fleet.clock, 2 * HOUR);
  const endedAt = fleet.clock.now();
  fleet.setOutage(undefined);
  await passQuickly(fleet.clock, 15 * MINUTE);
  return { ...fleet, begunAt, endedAt };
}

describe.each(KINDS)("an outage of two hours by %s", (outage) => {
  test("ends each question in a lease that lasts or in none, and in leases again one backoff step after it", async () => {
    const { answers, begunAt, endedAt, leases, grants, sts, mostAtOnce } = await outlast(outage);
    expect(answers.filter((answer) => !isLasting(answer) && answer.kind !== "unavailable")).toEqual([]);
    const dry = answers.filter(({ kind }) => kind === "unavailable").map(({ askedAt }) => askedAt);
    expect(Math.min(...dry)).toBeGreaterThan(begunAt + 24 * MINUTE);
    expect(Math.max(...dry)).toBeLessThanOrEqual(endedAt + STEP_MS);
    const issued = grants.map((grant) => leases.issuedAt(grant) ?? Number.POSITIVE_INFINITY);
    expect(Math.max(...issued)).toBeLessThanOrEqual(endedAt + STEP_MS);
    expect(mostAtOnce()).toBe(1);
    expect(mostOverTenASecond(sts)).toBeLessThanOrEqual(50);
  });
});

function isLasting({ leftMs }: FleetAnswer): boolean {
  return leftMs !== undefined && leftMs >= 1_000;
}
