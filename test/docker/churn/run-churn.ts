import { setTimeout as delay } from "node:timers/promises";
import { randomFor } from "../../fuzz/random.ts";
import { readAnswerLogs } from "./answer-log.ts";
import { type Chronicle, emptyChronicle } from "./chronicle.ts";
import { type ChurnStage, type GatewayPlace, startChurnStage } from "./churn-stage.ts";
import { countMs, type Durations } from "./durations.ts";
import { type Fault, runFaults } from "./faults.ts";
import { askForOwners } from "./key-owners.ts";
import { runLane } from "./lane.ts";
import { type NetworkEvent, watchNetworks } from "./network-events.ts";
import { reusesWithin, type TenureLog } from "./reuses.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What is to be run. */
export interface ChurnOptions {
  readonly containers: number;
  /** It goes on for as long at least, and the containers are spread over that time. */
  readonly leastMs: number;
  readonly seed: number;
  /** How long a container waits between two rounds of questions. */
  readonly askerPauseMs: number;
  /** The gateway that is under test. */
  readonly gateway: GatewayPlace;
  readonly faults: readonly Fault[];
  /** After this no more is begun, however many containers there were. */
  readonly limitMs: number;
}

/** What was seen. */
export interface ChurnReport {
  readonly seed: number;
  readonly seconds: number;
  readonly containers: number;
  readonly acts: Chronicle["acts"];
  /** How often an address was a container's again within a second of being another's, as Docker tells it. */
  readonly reuses: number;
  /** How long the first answer of each process took. */
  readonly firstAnswers: Durations;
  readonly verdict: Verdict;
}

const LANES = 4;
/** So that the last ones become old enough to count. */
const LAST_LOOK_MS = 1_500;
const REUSE_MS = 1_000;
const PACE_MS = 20;

/** Runs churn with faults on a Docker host of its own and judges every answer that any container had. */
export async function runChurn(options: ChurnOptions): Promise<ChurnReport> {
  const startedAt = performance.now();
  const stage = await startChurnStage(options.gateway);
  try {
    const networkEvents = watchNetworks(stage.dockerSocket);
    const chronicle = await churn(stage, options).finally(networkEvents.end);
    return await reportOn(stage, { chronicle, seed: options.seed, startedAt, networkEvents: networkEvents.seen });
  } finally {
    await stage.stop();
  }
}

async function churn(stage: ChurnStage, options: ChurnOptions): Promise<Chronicle> {
  const { containers, leastMs, seed, faults, limitMs, askerPauseMs } = options;
  const chronicle = emptyChronicle();
  const beganAt = performance.now();
  const endAt = beganAt + limitMs;
  const end = new AbortController();
  let isAllTried = false;
  const shareOfContainers = () => chronicle.containers.size / containers;
  const shareOfTime = () => (leastMs === 0 ? 1 : (performance.now() - beganAt) / leastMs);
  const progress = () => Math.min(shareOfContainers(), shareOfTime());
  /** The containers are spread over the time; what comes late, after a fault, comes as fast as it can. */
  const pace = async () => {
    while (shareOfContainers() > shareOfTime() && goOn()) await delay(PACE_MS);
  };
  const isDone = () => progress() >= 1 && isAllTried;
  const goOn = () => !isDone() && performance.now() < endAt && !end.signal.aborted;
  let isUp: Promise<void> = Promise.resolve();
  const troubles = runFaults(faults, {
    stage,
    chronicle,
    progress,
    onDockerdDown: (up) => {
      isUp = up;
    },
    signal: end.signal,
  }).then(() => {
    isAllTried = true;
  });
  const lanes = Array.from({ length: LANES }, (_, number) =>
    runLane({ docker: stage.docker, chronicle, random: randomFor(seed, number), number, askerPauseMs, pace, goOn, dockerIsUp: () => isUp }),
  );
  await allDone([Promise.all(lanes).finally(() => end.abort()), troubles], end);
  await delay(LAST_LOOK_MS);
  return chronicle;
}

/** Waits for all of it; the first failure ends the rest. */
async function allDone(works: readonly Promise<unknown>[], end: AbortController): Promise<void> {
  const outcomes = await Promise.allSettled(
    works.map((work) =>
      work.catch((error: unknown) => {
        end.abort();
        throw error;
      }),
    ),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

interface Run {
  readonly chronicle: Chronicle;
  readonly seed: number;
  readonly startedAt: number;
  readonly networkEvents: readonly NetworkEvent[];
}

/** Reads the answers twice, one process's at a time: all of a long run's would not fit in memory. */
async function reportOn(stage: ChurnStage, { chronicle, seed, startedAt, networkEvents }: Run): Promise<ChurnReport> {
  const logs: TenureLog[] = [];
  const accessKeyIds = new Set<string>();
  const firstAnswers: Durations = new Map();
  for (const { answers, ...log } of readAnswerLogs(stage.answers)) {
    logs.push(log);
    const [first] = answers;
    if (first !== undefined) countMs(firstAnswers, first.doneAt - first.sentAt);
    for (const { kind, outcome, value } of answers) if (kind === "doc" && outcome === "200") accessKeyIds.add(value);
  }
  const owners = await askForOwners(stage.host, accessKeyIds);
  return {
    seed,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    containers: [...chronicle.containers.values()].filter(({ id }) => id !== "").length,
    acts: chronicle.acts,
    reuses: reusesWithin(REUSE_MS, logs, chronicle, networkEvents),
    firstAnswers,
    verdict: judge(readAnswerLogs(stage.answers), chronicle, (accessKeyId) => owners.get(accessKeyId)),
  };
}
