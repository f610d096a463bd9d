import type { Contender, ContenderName } from "./contenders.ts";
import { cpuMicrosOf } from "./process-usage.ts";
import { REQUEST_NAMES, type RequestName, stated } from "./stated-answers.ts";

/** How much is asked. */
export interface Plan {
  readonly rounds: number;
  /** Requests of one cell in one round, by connections at once. */
  readonly requests: number;
  readonly warmUp: number;
}

const CONNECTIONS = [1, 16, 64] as const;

/** What one contender did with one kind of request at one number of connections. */
export interface Cell {
  readonly request: RequestName;
  readonly connections: number;
  readonly contender: ContenderName;
  /** Medians over the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the server's processes over all rounds, by request: a round alone is too short for the kernel's ticks of 10 ms. */
  readonly cpuMicros: number;
  readonly requests: number;
  readonly failures: number;
  readonly firstFailure: string;
}

interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  readonly failures: number;
  readonly firstFailure: string;
}

type Trial = Pick<Cell, "request" | "connections"> & { readonly contenders: readonly Contender[] };

/**
 * Asks every contender in turn, again and again, so that whatever drifts on this machine hits all alike; who begins changes with the
 * round. `onProgress` hears what is under way.
 */
export async function runRounds(
  contenders: readonly Contender[],
  plan: Plan,
  onProgress: (text: string) => void,
): Promise<readonly Cell[]> {
  const trials = trialsOf(contenders);
  for (const trial of trials.filter(({ connections }) => connections === 16)) {
    onProgress(`warm-up: ${trial.request}`);
    for (const contender of trial.contenders) await measure(trial, contender, plan.warmUp);
  }
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const trial of trials) {
      onProgress(`round ${round + 1} of ${plan.rounds}: ${trial.request}, ${trial.connections} at once`);
      for (const contender of rotated(trial.contenders, round)) {
        const key = keyOf(trial, contender);
        samples.set(key, [...(samples.get(key) ?? []), await measure(trial, contender, plan.requests)]);
      }
    }
  }
  return trials.flatMap((trial) =>
    trial.contenders.map((contender) => cellOf(trial, contender, samples.get(keyOf(trial, contender)) ?? [], plan)),
  );
}

function trialsOf(contenders: readonly Contender[]): readonly Trial[] {
  return REQUEST_NAMES.flatMap((request) =>
    CONNECTIONS.map((connections) => ({ request, connections, contenders: contenders.filter(({ asked }) => asked.includes(request)) })),
  );
}

async function measure({ request, connections }: Trial, { pid, host, port, from }: Contender, count: number): Promise<Sample> {
  const before = cpuMicrosOf(pid);
  const outcome = await from.load({ host, port, ...stated(request), connections, count });
  return { ...outcome, perSecond: (count * 1_000) / outcome.wallMs, cpuMicros: cpuMicrosOf(pid) - before };
}

function cellOf({ request, connections }: Trial, { name }: Contender, samples: readonly Sample[], plan: Plan): Cell {
  const requests = plan.requests * samples.length;
  const sum = (value: (sample: Sample) => number) => samples.reduce((total, sample) => total + value(sample), 0);
  const median = (value: (sample: Sample) => number) =>
    samples.map(value).sort((one, other) => one - other)[Math.floor(samples.length / 2)] ?? 0;
  return {
    request,
    connections,
    contender: name,
    perSecond: median(({ perSecond }) => perSecond),
    p50Ms: median(({ p50Ms }) => p50Ms),
    p99Ms: median(({ p99Ms }) => p99Ms),
    cpuMicros: sum(({ cpuMicros }) => cpuMicros) / requests,
    requests,
    failures: sum(({ failures }) => failures),
    firstFailure: samples.find(({ failures }) => failures > 0)?.firstFailure ?? "",
  };
}

function keyOf({ request, connections }: Trial, { name }: Contender): string {
  return JSON.stringify([request, connections, name]);
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
