import { sleep, systemClock } from "../../../src/clock.ts";
import { type Chronicle, countAct, during } from "./chronicle.ts";
import type { ChurnStage } from "./churn-stage.ts";

/** Something that goes wrong when `at` of the run is done (0 to 1). */
export interface Fault {
  readonly at: number;
  readonly name: string;
  /** Lets it go wrong and be well again. */
  readonly act: (parts: FaultParts) => Promise<void>;
}

export interface FaultParts {
  readonly stage: ChurnStage;
  readonly chronicle: Chronicle;
  /** How much of the run is done, from 0 to 1. */
  readonly progress: () => number;
  /** Told before dockerd is killed, with what ends when it answers again. */
  readonly onDockerdDown: (isUp: Promise<void>) => void;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 100;
/** A stream of events that was cut is opened anew after a second, and then everything is listed. */
const RECONNECTED_MS = 2_000;
/** An inspection that was under way when they became quick again is late all the same. */
const INSPECTED_MS = 6_500;
const NEVER_MS = 86_400_000;

/** Everything that can go wrong around the gateway, and its own death; Docker is hung and its events are late for `ms`. */
function faultsLasting(ms: number): readonly Fault[] {
  return [
    { at: 0.08, name: "events cut", act: cutEvents },
    { at: 0.16, name: "events late", act: (parts) => delayEvents(parts, ms) },
    { at: 0.28, name: "socket hung", act: (parts) => hangDocker(parts, ms) },
    { at: 0.4, name: "inspect slow", act: (parts) => slowDocker(parts, Math.max(ms, INSPECTED_MS)) },
    { at: 0.55, name: "gateway killed", act: restartGateway },
    { at: 0.65, name: "dockerd killed, live-restore", act: (parts) => restartDockerd(parts, true) },
    { at: 0.8, name: "dockerd killed", act: (parts) => restartDockerd(parts, false) },
  ];
}

export const SHORT_FAULTS = faultsLasting(3_000);

/** The same with longer faults, all of them `rounds` times in a run. */
export function longFaults(rounds: number): readonly Fault[] {
  const faults = faultsLasting(30_000);
  return Array.from({ length: rounds }, (_, round) => faults.map((fault) => ({ ...fault, at: (round + fault.at) / rounds }))).flat();
}

/** Docker answers, and its events do not come before the run is over. */
export const NO_EVENTS: readonly Fault[] = [{ at: 0, name: "no events", act: async ({ stage }) => stage.proxy.delayEvents(NEVER_MS) }];

/** Lets things go wrong, each at its place in the run, until all was tried or `signal` aborts. */
export async function runFaults(faults: readonly Fault[], parts: FaultParts): Promise<void> {
  for (const { at, name, act } of faults) {
    while (parts.progress() < at && !parts.signal.aborted) await sleep(systemClock, LOOK_EVERY_MS, parts.signal);
    if (parts.signal.aborted) return;
    await act(parts);
    countAct(parts.chronicle, name);
  }
}

async function cutEvents({ stage, chronicle }: FaultParts): Promise<void> {
  await during(chronicle.ordeals, "events-cut", RECONNECTED_MS, async () => stage.proxy.cutEvents());
}

async function delayEvents({ stage, chronicle, signal }: FaultParts, ms: number): Promise<void> {
  stage.proxy.delayEvents(ms);
  await during(chronicle.ordeals, "events-late", ms, () => sleep(systemClock, 2 * ms, signal));
  stage.proxy.delayEvents(0);
}

async function hangDocker({ stage, chronicle, signal }: FaultParts, ms: number): Promise<void> {
  stage.proxy.setMode("hung");
  await during(chronicle.ordeals, "docker-hung", RECONNECTED_MS, () => sleep(systemClock, ms, signal));
  stage.proxy.setMode("open");
}

async function slowDocker({ stage, chronicle, signal }: FaultParts, ms: number): Promise<void> {
  stage.proxy.setMode("slow");
  await during(chronicle.ordeals, "inspect-slow", INSPECTED_MS, () => sleep(systemClock, ms, signal));
  stage.proxy.setMode("open");
}

async function restartGateway({ stage, chronicle }: FaultParts): Promise<void> {
  await during(chronicle.ordeals, "gateway-down", RECONNECTED_MS, async () => {
    await stage.killGateway();
    await stage.startGateway();
  });
}

async function restartDockerd({ stage, chronicle, onDockerdDown }: FaultParts, hasLiveRestore: boolean): Promise<void> {
  const restarted = during(chronicle.ordeals, "dockerd-down", RECONNECTED_MS, () => stage.restartDockerd(hasLiveRestore));
  onDockerdDown(restarted);
  await restarted;
}
