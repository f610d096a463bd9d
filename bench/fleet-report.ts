import type { FleetFindings, FleetPlan } from "./fleet-simulation.ts";
import { QUOTA } from "./fleet-sts.ts";
import { table } from "./table.ts";

/** Minutes between two renewals of a lease: an hour, less the 33 to 36 that are left then. */
const BETWEEN_RENEWALS = 60 - 34.5;
/** The budget of one host: calls at once, and calls a second after that. */
const AT_ONCE = 50;
const A_SECOND = 10;

/** AssumeRole calls a second of a fleet in its steady state. */
export function steadyRate({ hosts, leases }: FleetPlan): number {
  return (hosts * leases) / (BETWEEN_RENEWALS * 60);
}

/** The least time, in milliseconds, in which a fleet that starts at one moment can have all its leases: its hosts' budgets, and the quota. */
export function leastRestartMs({ hosts, leases }: FleetPlan): number {
  const byBudget = Math.max(0, leases - AT_ONCE) / A_SECOND;
  const byQuota = Math.max(0, hosts * leases - QUOTA) / QUOTA;
  return Math.max(byBudget, byQuota) * 1_000;
}

/** The findings as Markdown: the steady state, all hosts at once, half an hour without STS. */
export function renderFleet(all: readonly FleetFindings[]): string {
  return [
    "### The steady state",
    steadyTable(all),
    "### All hosts start at one moment, without a lease",
    restartTable(all),
    "### STS fails for half an hour",
    outageTable(all),
  ].join("\n\n");
}

/** The first two cells of each row. */
function fleetCells({ plan }: FleetFindings): readonly string[] {
  return [plan.hosts.toLocaleString("en"), String(plan.leases)];
}

function steadyTable(all: readonly FleetFindings[]): string {
  return table(
    ["hosts", "leases a host", "calls/s by the formula", "calls/s simulated", "throttled", "answered, of the quota", "leases that ran out"],
    all.map((findings) => [
      ...fleetCells(findings),
      rate(steadyRate(findings.plan)),
      rate(findings.steady.mean),
      percent(findings.steady.throttledShare),
      percent((findings.steady.mean * (1 - findings.steady.throttledShare)) / QUOTA),
      percent(findings.steady.lapsedShare),
    ]),
  );
}

function restartTable(all: readonly FleetFindings[]): string {
  return table(
    [
      "hosts",
      "leases a host",
      "at least, by the formula",
      "half have theirs after",
      "all after",
      "throttled until then",
      "busiest minute, calls/s",
    ],
    all.map((findings) => [
      ...fleetCells(findings),
      duration(leastRestartMs(findings.plan)),
      duration(findings.restart.halfAfterMs),
      duration(findings.restart.allAfterMs),
      percent(findings.restart.throttledShare),
      rate(findings.restart.rates.busiestMinute),
    ]),
  );
}

function outageTable(all: readonly FleetFindings[]): string {
  return table(
    [
      "hosts",
      "leases a host",
      "calls/s meanwhile",
      "leases that ran out",
      "longest without",
      "least left at a renewal",
      "throttled in the hour after",
    ],
    all.map((findings) => [
      ...fleetCells(findings),
      rate(findings.outage.during.mean),
      percent(findings.outage.lapsedShare),
      duration(findings.outage.leases.longestGapMs),
      duration(findings.outage.leases.leastLeftMs),
      percent(findings.outage.after.throttledShare),
    ]),
  );
}

function rate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(2) : perSecond.toFixed(0);
}

function percent(share: number): string {
  if (share > 0 && share < 0.001) return "under 0.1 %";
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "more than 1 h";
  if (ms < 1_000) return ms === 0 ? "0 s" : "under 1 s";
  return ms < 120_000 ? `${(ms / 1_000).toFixed(0)} s` : `${(ms / 60_000).toFixed(1)} min`;
}
