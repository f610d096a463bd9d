import { onTestFinished } from "vitest";
import type { HandedLease } from "../../src/credentials/handed-lease.ts";
import { Leases } from "../../src/credentials/leases.ts";
import { createMint } from "../../src/credentials/mint.ts";
import { createStsBudget } from "../../src/credentials/sts-budget.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, grantOf, MINUTE, type ScriptedSts, scriptedSts } from "./scripted.ts";

export const HOUR = 60 * MINUTE;

interface Start {
  readonly jitter?: number;
  readonly isRunning?: boolean;
  readonly isRegionKnown?: boolean;
  /** From an earlier gateway. */
  readonly handed?: readonly HandedLease[];
}

/** Leases on a scripted STS. Randomness is `jitter`, so that every wait is that part of its longest. The Region is told by `tellRegion` if not known. */
export function startLeases({ jitter = 0.5, isRunning = true, isRegionKnown = true, handed }: Start = {}) {
  const clock = handMovedClock();
  const sts = scriptedSts(clock);
  const events: ImdsgateEvent[] = [];
  const emit = (event: ImdsgateEvent) => void events.push(event);
  const base = { current: async () => BASE, renewed: async () => BASE };
  let region = isRegionKnown ? "eu-central-1" : undefined;
  const mint = createMint({ sts, base, hostFacts: () => ({ region, partition: "aws", account: undefined }), clock, emit });
  const tellRegion = () => {
    region = "eu-central-1";
  };
  const leases = new Leases({ mint, budget: createStsBudget(clock), clock, random: () => jitter, emit, handed });
  const stopping = new AbortController();
  const run = isRunning ? leases.run(stopping.signal) : Promise.resolve();
  const stop = async () => {
    stopping.abort();
    await run;
  };
  onTestFinished(stop);
  const key = async (grant = grantOf()) => {
    const outcome = await leases.leaseFor(grant);
    return outcome.kind === "lease" ? outcome.lease.accessKeyId : outcome.kind;
  };
  return { clock, sts, events, leases, stop, key, tellRegion };
}

/** From now on `sts` answers only when the returned function was called. */
export function slowDown(sts: ScriptedSts): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const prompt = sts.assumeRole;
  sts.assumeRole = async (...call) => {
    await promise;
    return await prompt(...call);
  };
  return resolve;
}

export const FIRST = "ASIA0000000000000001";
export const SECOND = "ASIA0000000000000002";
