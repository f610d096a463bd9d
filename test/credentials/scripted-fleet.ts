import { setImmediate } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { AssumedRole } from "../../src/credentials/assume-role.ts";
import type { LeaseOutcome } from "../../src/credentials/lease.ts";
import { Leases } from "../../src/credentials/leases.ts";
import { createMint } from "../../src/credentials/mint.ts";
import { createStsBudget } from "../../src/credentials/sts-budget.ts";
import type { Grant } from "../../src/policy/decide.ts";
import { type HandMovedClock, handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, BASE_REFUSED, DOWN, grantOf, MINUTE, type ScriptedSts, scriptedSts, THROTTLED } from "./scripted.ts";

/** How STS is when it is out. */
export const OUTAGES = { throttle: THROTTLED, "5xx": DOWN, hang: "hang", "refused base credentials": BASE_REFUSED } as const;

export type Outage = keyof typeof OUTAGES;

/** What one workload was answered. */
export interface FleetAnswer {
  readonly workload: number;
  readonly askedAt: number;
  readonly answeredAt: number;
  /** Milliseconds to the end of the lease that was answered; undefined for none. */
  readonly leftMs: number | undefined;
  readonly kind: LeaseOutcome["kind"];
}

/** Many workloads, each with a lease of its own, on one scripted STS and one clock. */
export interface Fleet {
  readonly clock: HandMovedClock;
  readonly sts: ScriptedSts;
  readonly leases: Leases;
  readonly grants: readonly Grant[];
  readonly answers: FleetAnswer[];
  /** The most calls of one session that were under way at once. */
  readonly mostAtOnce: () => number;
  /** Asks for one workload now. Throws when it gets a lease that is not its own. */
  ask(workload: number): Promise<void>;
  /** From now on every workload asks as its client does. */
  askAtTheirRhythm(): void;
  /** STS is out from now on, or back. */
  setOutage(outage: Outage | undefined): void;
}

/** A fleet of `size` workloads. Randomness is the same in every run with the same `seed`. */
export function startFleet(size: number, seed = 1): Fleet {
  const exact = handMovedClock();
  // As the machine's timers: of whole milliseconds.
  const clock: HandMovedClock = { ...exact, after: (ms, act) => exact.after(Math.ceil(ms), act) };
  const random = seededRandom(seed);
  const emit = () => {};
  const sts = scriptedSts(clock);
  const mostAtOnce = watchFlights(sts);
  const base = { current: async () => BASE, renewed: async () => ({ ...BASE }) };
  const mint = createMint({ sts, base, hostFacts: () => ({ region: "eu-central-1", partition: "aws", account: undefined }), clock, emit });
  const leases = new Leases({ mint, budget: createStsBudget(clock), clock, random, emit });
  const stopping = new AbortController();
  const run = leases.run(stopping.signal);
  onTestFinished(async () => {
    stopping.abort();
    await run;
  });
  const grants = Array.from({ length: size }, (_, workload) => grantOf({ sessionName: `web-${workload}` }));
  const answers: FleetAnswer[] = [];

  async function ask(workload: number): Promise<void> {
    const grant = grants[workload];
    if (!grant) throw new Error(`no workload ${workload}`);
    const askedAt = clock.now();
    const outcome = await leases.leaseFor(grant);
    const { kind } = outcome;
    if (outcome.kind === "lease" && outcome.lease.sessionName !== grant.sessionName)
      throw new Error(`${grant.sessionName} got another's lease`);
    const leftMs = outcome.kind === "lease" ? outcome.lease.expiresAt - clock.now() : undefined;
    answers.push({ workload, askedAt, answeredAt: clock.now(), leftMs, kind });
  }

  async function askOn(workload: number): Promise<void> {
    await ask(workload);
    const leftMs = answers.at(-1)?.leftMs ?? 0;
    clock.after(untilNextAskMs(workload, leftMs, random), () => void askOn(workload));
  }

  return {
    clock,
    sts,
    leases,
    grants,
    answers,
    mostAtOnce,
    ask,
    askAtTheirRhythm() {
      for (const workload of grants.keys()) clock.after(random() * 2 * MINUTE, () => void askOn(workload));
    },
    setOutage(outage) {
      sts.always = outage === undefined ? "ok" : OUTAGES[outage];
    },
  };
}

/**
 * When a client asks again that was given `leftMs` (docs/contract.md, N1, N7): a third of the workloads are botocore's (15 minutes before
 * the end, then on every use), a third s3fs (20 minutes before), a third .NET's (every 2 minutes). A use is every 30 seconds.
 */
function untilNextAskMs(workload: number, leftMs: number, random: () => number): number {
  if (workload % 3 === 0) return 2 * MINUTE;
  const earlyMs = workload % 3 === 1 ? 15 * MINUTE : 20 * MINUTE;
  return Math.max(leftMs - earlyMs, 0) + (0.5 + random() / 2) * 30_000;
}

/** The number of calls in each second that had any, by the start of that second. */
export function callsBySecond(sts: ScriptedSts, from = 0): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { at } of sts.calls) {
    const second = at - (at % 1_000);
    if (at >= from) counts.set(second, (counts.get(second) ?? 0) + 1);
  }
  return counts;
}

/** The most calls in any span of time over ten for each second of it: 50 at most, by the budget (docs/contract.md, S9). */
export function mostOverTenASecond({ calls }: ScriptedSts): number {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const [index, { at }] of calls.entries()) {
    const ahead = index - at / 100;
    least = Math.min(least, ahead);
    most = Math.max(most, ahead - least + 1);
  }
  return Math.round(most * 1_000) / 1_000;
}

/**
 * Moves on by `ms` timer by timer like `pass`, and in between lets go on what needs no turn of the event loop: all of a scripted STS, and
 * hours of a fleet in a second.
 */
export async function passQuickly(clock: HandMovedClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  for (let nextMs: number | undefined = 0; nextMs !== undefined && nextMs <= end - clock.now(); nextMs = clock.untilNext()) {
    clock.advance(nextMs);
    // It comes when no promise is left to go on.
    await new Promise<void>((resolve) => process.nextTick(resolve));
  }
  clock.advance(end - clock.now());
  await setImmediate();
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

function watchFlights(sts: ScriptedSts): () => number {
  const underWay = new Map<string, number>();
  const prompt = sts.assumeRole;
  let most = 0;
  sts.assumeRole = async (request, ...rest): Promise<AssumedRole> => {
    const key = `${request.roleArn} ${request.sessionName}`;
    const count = (underWay.get(key) ?? 0) + 1;
    underWay.set(key, count);
    most = Math.max(most, count);
    try {
      return await prompt(request, ...rest);
    } finally {
      underWay.set(key, (underWay.get(key) ?? 1) - 1);
    }
  };
  return () => most;
}
