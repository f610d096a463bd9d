import { describe, expect, test } from "vitest";
import { FLEETS } from "../../bench/fleet.ts";
import { leastRestartMs, renderFleet, steadyRate } from "../../bench/fleet-report.ts";
import { simulateFleet } from "../../bench/fleet-simulation.ts";
import { pageAt } from "../docs/pages.ts";

const SMALL = { hosts: 10, leases: 10 };
const MINUTE = 60_000;

describe("a fleet within the quota", () => {
  test("asks STS as often as the formula says, has all leases at once after a restart, and loses none in half an hour without STS", async () => {
    const { steady, restart, outage } = await simulateFleet({ hosts: 100, leases: 10 }, 500);
    expect(steady.mean / steadyRate({ hosts: 100, leases: 10 })).toBeCloseTo(1, 1);
    expect(steady).toMatchObject({ throttledShare: 0, lapsedShare: 0 });
    expect(restart.allAfterMs).toBeLessThan(leastRestartMs({ hosts: 100, leases: 10 }) + 5_000);
    expect(outage.leases).toMatchObject({ lapsed: 0, longestGapMs: 0 });
    expect(outage.leases.leastLeftMs).toBeGreaterThan(3 * MINUTE - 35_000);
  });
});

describe("a fleet beyond the quota", () => {
  test("waits as long as the formula says at least, and loses leases: so the trial above can fail", async () => {
    const plan = { hosts: 100_000, leases: 10 };
    const { restart, outage } = await simulateFleet(plan, 100);
    expect(restart.allAfterMs).toBeGreaterThan(leastRestartMs(plan));
    expect(outage.lapsedShare).toBeGreaterThan(0.1);
  });
});

describe("the tables of docs/fleet.md", () => {
  const { text } = pageAt("docs/fleet.md");
  const [, section = ""] = /<!-- fleet: begin -->\n([\s\S]*?)\n<!-- fleet: end -->/.exec(text) ?? [];
  const rows = section.split("\n").filter((line) => /^\| [\d,]+ \|/.test(line));

  test("have each fleet that is played", () => {
    const wanted = FLEETS.map(({ hosts, leases }) => `| ${hosts.toLocaleString("en")} | ${leases} |`);
    expect(rows.map((row) => row.slice(0, row.indexOf("|", row.indexOf("|", 1) + 1) + 1))).toEqual([...wanted, ...wanted, ...wanted]);
  });

  test("say what the simulation gives today (node bench/fleet.ts --write writes them anew)", async () => {
    const today = renderFleet([await simulateFleet(SMALL)]).split("\n");
    expect(FLEETS).toContainEqual(SMALL);
    expect(rows.filter((row) => row.startsWith("| 10 | 10 |"))).toEqual(today.filter((row) => row.startsWith("| 10 | 10 |")));
  });
});
