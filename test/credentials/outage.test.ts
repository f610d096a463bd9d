import { describe, expect, test } from "vitest";
import { MINUTE, pass } from "./scripted.ts";
import { type Fleet, mostOverTenASecond, OUTAGES, type Outage, passQuickly, startFleet } from "./scripted-fleet.ts";

const WORKLOADS = 200;
const OUTAGE_MS = 30 * MINUTE;
/** The whole first minting, at the pace of the budget. */
const SETTLED_MS = 20_000;
/** After an outage: the longest backoff, a call until its limit, and a place for each workload in the budget. */
const RECOVERY_MS = 30_000 + 5_000 + 20_000;
/** What an outage leaves at least of a lease that was due when it began, of 33 minutes; and the contract's floor (docs/contract.md, N1). */
const DUE_MS = 33 * MINUTE;
const FLOOR_MS = 26 * MINUTE;

/** What somebody would notice, containers or STS, of a fleet that asks through an outage begun `minute` minutes into its first lease. */
async function noticed(outage: Outage, minute: number, workloads: number): Promise<readonly string[]> {
  const fleet = startFleet(workloads, minute + 1);
  for (const grant of fleet.grants) fleet.leases.prefetch(grant);
  await passQuickly(fleet.clock, SETTLED_MS);
  fleet.askAtTheirRhythm();
  await passQuickly(fleet.clock, minute * MINUTE);
  const begunAt = fleet.clock.now();
  fleet.setOutage(outage);
  await passQuickly(fleet.clock, OUTAGE_MS);
  fleet.setOutage(undefined);
  await passQuickly(fleet.clock, RECOVERY_MS);
  await askAll(fleet);
  const most = mostOverTenASecond(fleet.sts);
  const bursts = most <= 50 ? [] : [`${most} calls at once`];
  const missed = fleet.answers.flatMap((answer) => {
    const { leftMs = Number.NEGATIVE_INFINITY, answeredAt, askedAt, workload, kind } = answer;
    const isOut = answeredAt >= begunAt && answeredAt < begunAt + OUTAGE_MS + RECOVERY_MS;
    const floorMs = isOut ? Math.min(FLOOR_MS, DUE_MS - (answeredAt - begunAt)) : FLOOR_MS;
    const isGood = leftMs >= floorMs && answeredAt - askedAt <= 400;
    return isGood ? [] : [`${workload} got ${kind} with ${leftMs / MINUTE} minutes, ${(answeredAt - begunAt) / MINUTE} minutes into it`];
  });
  return [...missed, ...bursts];
}

async function askAll({ clock, grants, ask }: Fleet): Promise<void> {
  const asked = grants.map((_, workload) => ask(workload));
  await pass(clock, 0);
  await Promise.all(asked);
}

describe("nobody notices that STS is out for half an hour", () => {
  test("by throttling, whenever it begins in the life of a lease", { timeout: 300_000 }, async () => {
    for (let minute = 0; minute < 60; minute += 1) {
      expect(await noticed("throttle", minute, WORKLOADS), `begun in minute ${minute}`).toEqual([]);
    }
  });

  test.each(Object.keys(OUTAGES) as Outage[])("by %s, begun when 200 leases are due", async (outage) => {
    expect(await noticed(outage, 24, WORKLOADS)).toEqual([]);
  });
});
