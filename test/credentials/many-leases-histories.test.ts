import fc from "fast-check";
import { expect, test } from "vitest";
import { createPrefetch } from "../../src/credentials/prefetch.ts";
import type { Workload } from "../../src/identity/workload.ts";
import { type Fleet, mostOverTenASecond, OUTAGES, type Outage, passQuickly, startFleet } from "./scripted-fleet.ts";

const WORKLOADS = 60;

/** One thing that happens: to a workload, to STS, or that time passes. */
type Happening =
  | { readonly kind: "appear" | "gone" | "ask"; readonly workload: number }
  | { readonly kind: "outage"; readonly outage: Outage | undefined }
  | { readonly kind: "advance"; readonly ms: number };

/** Some few again and again, so that one meets much; many others, so that they meet the budget. */
const workload = fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: WORKLOADS - 1 }));
const outages: readonly (Outage | undefined)[] = [undefined, ...(Object.keys(OUTAGES) as Outage[])];
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("appear" as const, "gone" as const), workload }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ask" as const), workload }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("outage" as const), outage: fc.constantFrom(...outages) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 300, 4_000, 30_000, 299_999, 300_000, 1_500_000),
    }),
  },
);

/** Lets all of `history` happen to a new fleet, and gives what became of it. */
async function live(history: readonly Happening[], seed: number): Promise<Fleet> {
  const fleet = startFleet(WORKLOADS, seed);
  const { clock, leases, grants } = fleet;
  const here = new Set<number>();
  const asked: Promise<void>[] = [];
  const prefetch = createPrefetch({ clock, leases, decide: ({ name }) => grantFor(grants[Number(name)]) });
  const happen = async (step: Happening) => {
    switch (step.kind) {
      case "advance":
        return await passQuickly(clock, step.ms);
      case "outage":
        return fleet.setOutage(step.outage);
      case "ask":
        if (here.has(step.workload)) asked.push(fleet.ask(step.workload));
        return;
      case "appear":
        here.add(step.workload);
        return prefetch.seen(workloadOf(step.workload));
      case "gone":
        here.delete(step.workload);
        return prefetch.gone(workloadOf(step.workload));
    }
  };
  for (const step of history) await happen(step);
  await passQuickly(clock, 10_000);
  prefetch.stop();
  await Promise.all(asked);
  return fleet;
}

function grantFor(grant: Fleet["grants"][number] | undefined) {
  return grant ? { kind: "grant" as const, grant } : { kind: "none" as const };
}

function workloadOf(number: number): Workload {
  return { kind: "container", name: `${number}`, id: `${number}`, image: "app", labels: {}, networks: [], addresses: [] };
}

test("whatever happens in whatever order, a workload gets its own lease, unexpired, or none, and no session two calls at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 100, size: "max" }), fc.nat(), async (history, seed) => {
      const { answers, sts, mostAtOnce } = await live(history, seed);
      expect(answers.filter(({ kind, leftMs = 0 }) => (kind === "lease" ? leftMs < 1_000 : kind !== "unavailable"))).toEqual([]);
      expect(answers.filter(({ askedAt, answeredAt }) => answeredAt - askedAt > 5_000)).toEqual([]);
      expect(mostAtOnce()).toBeLessThanOrEqual(1);
      expect(mostOverTenASecond(sts)).toBeLessThanOrEqual(50);
    }),
    { seed: 7, numRuns: 100 },
  );
});
