import { Leases } from "../src/credentials/leases.ts";
import { createMint } from "../src/credentials/mint.ts";
import { createStsBudget } from "../src/credentials/sts-budget.ts";
import type { Grant } from "../src/policy/decide.ts";
import { type FleetSts, fleetSts, type LeaseCounts, QUOTA } from "./fleet-sts.ts";
import { promisesDone, type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A fleet: hosts in one account and Region, each with so many sessions. */
export interface FleetPlan {
  readonly hosts: number;
  /** Leases of a host: its containers, or its roles with `--session-scope role`. */
  readonly leases: number;
}

/** What came of it, for the whole fleet. Rates are calls a second. */
export interface FleetFindings {
  readonly plan: FleetPlan;
  readonly simulatedHosts: number;
  readonly steady: Rates & { readonly lapsedShare: number };
  /** Half an hour in which each call fails, and the hour after it. */
  readonly outage: { readonly during: Rates; readonly after: Rates; readonly leases: LeaseCounts; readonly lapsedShare: number };
  /** All hosts start at one moment without any lease; and the hour after it. */
  readonly restart: { readonly halfAfterMs: number; readonly allAfterMs: number; readonly throttledShare: number; readonly rates: Rates };
}

interface Rates {
  readonly mean: number;
  readonly busiestMinute: number;
  readonly throttledShare: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** So many leases are played; a larger fleet is some of its hosts, with their share of the quota. */
const LEASES_PLAYED = 1_000;
const START = Date.UTC(2026, 0, 1);

interface Stage {
  readonly clock: VirtualClock;
  readonly fleet: FleetSts;
  readonly random: () => number;
  readonly plan: FleetPlan;
  /** How many hosts of the fleet one simulated host stands for. */
  readonly scale: number;
}

/** Plays the fleet's leases, budgets, jitter and backoff, the real ones, by a virtual clock. The same plan gives the same findings. */
export async function simulateFleet(plan: FleetPlan, leasesPlayed = LEASES_PLAYED): Promise<FleetFindings> {
  const simulatedHosts = Math.min(plan.hosts, Math.ceil(leasesPlayed / plan.leases));
  const scale = plan.hosts / simulatedHosts;
  const clock = virtualClock(START);
  const stage: Stage = { clock, fleet: fleetSts(clock, QUOTA / scale), random: seededRandom(plan.hosts + plan.leases), plan, scale };
  const hosts = Array.from({ length: simulatedHosts }, (_, index) => startHost(stage, index));
  for (const { leases, grants } of hosts) {
    for (const grant of grants) clock.after(stage.random() * HOUR, () => leases.prefetch(grant));
  }
  await clock.pass(2 * HOUR);
  const rates = await measured(stage, HOUR);
  const steady = { ...rates, lapsedShare: stage.fleet.leases().lapsed / (simulatedHosts * plan.leases) };
  const outage = await playOutage(stage, simulatedHosts * plan.leases);
  await Promise.all(hosts.map(({ stop }) => stop()));
  const restart = await playRestart(stage, simulatedHosts);
  return { plan, simulatedHosts, steady, outage, restart };
}

async function playOutage(stage: Stage, sessions: number): Promise<FleetFindings["outage"]> {
  const { fleet } = stage;
  fleet.setOut(true);
  const during = await measured(stage, HOUR / 2);
  const lapsedDuring = fleet.leases();
  fleet.setOut(false);
  const after = await measured(stage, HOUR);
  const lapsedAfter = fleet.leases();
  const leases: LeaseCounts = {
    lapsed: Math.max(lapsedDuring.lapsed, lapsedAfter.lapsed),
    longestGapMs: Math.max(lapsedDuring.longestGapMs, lapsedAfter.longestGapMs),
    leastLeftMs: Math.min(lapsedDuring.leastLeftMs, lapsedAfter.leastLeftMs),
  };
  return { during, after, leases, lapsedShare: leases.lapsed / sessions };
}

async function playRestart(stage: Stage, simulatedHosts: number): Promise<FleetFindings["restart"]> {
  const { clock, fleet, plan } = stage;
  const [begunAt, sessions] = [clock.now(), simulatedHosts * plan.leases];
  fleet.begin();
  const hosts = Array.from({ length: simulatedHosts }, (_, index) => startHost(stage, index));
  for (const { leases, grants } of hosts) for (const grant of grants) leases.prefetch(grant);
  await promisesDone();
  while (fleet.firstAt.size < sessions && clock.now() < begunAt + HOUR) await clock.pass(1_000);
  const { calls, throttled } = fleet.calls();
  const times = [...fleet.firstAt.values()].map((at) => at - begunAt);
  const nth = (n: number) => times[n - 1] ?? Number.POSITIVE_INFINITY;
  await clock.pass(begunAt + HOUR - clock.now());
  await Promise.all(hosts.map(({ stop }) => stop()));
  return {
    halfAfterMs: nth(Math.ceil(sessions / 2)),
    allAfterMs: nth(sessions),
    throttledShare: throttled / calls,
    rates: ratesOf(stage, HOUR),
  };
}

async function measured(stage: Stage, ms: number): Promise<Rates> {
  stage.fleet.begin();
  await stage.clock.pass(ms);
  return ratesOf(stage, ms);
}

function ratesOf({ fleet, scale }: Stage, ms: number): Rates {
  const { calls, throttled, busiestMinute } = fleet.calls();
  return {
    mean: (calls / (ms / 1_000)) * scale,
    busiestMinute: (busiestMinute / 60) * scale,
    throttledShare: throttled / Math.max(1, calls),
  };
}

interface Host {
  readonly leases: Leases;
  readonly grants: readonly Grant[];
  stop(): Promise<void>;
}

/** One host's credentials room, as the daemon builds it. */
function startHost({ clock, fleet, random, plan }: Stage, index: number): Host {
  const base = { current: async () => BASE, renewed: async () => BASE };
  const emit = () => {};
  const hostFacts = () => ({ region: "eu-central-1", partition: "aws", account: "111122223333" });
  const mint = createMint({ sts: fleet.sts, base, hostFacts, clock, emit });
  const leases = new Leases({ mint, budget: createStsBudget(clock), clock, random, emit });
  const ending = new AbortController();
  const running = leases.run(ending.signal);
  return {
    leases,
    grants: Array.from({ length: plan.leases }, (_, lease) => grantOf(`host-${index}-${lease}`)),
    async stop() {
      ending.abort();
      await running;
    },
  };
}

const BASE = {
  accessKeyId: "AKIAFLEETFLEETFLEET1",
  secretAccessKey: "base",
  sessionToken: undefined,
  expiresAt: undefined,
  source: "simulation",
};

function grantOf(sessionName: string): Grant {
  const role = { arn: "arn:aws:iam::111122223333:role/web", partition: "aws", account: "111122223333", name: "web" };
  const plain = { externalId: undefined, sourceIdentity: undefined, tags: [], policy: undefined, policyArns: [], durationSeconds: 3_600 };
  return { ...plain, role, sessionName, binding: "name:*=web" };
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
