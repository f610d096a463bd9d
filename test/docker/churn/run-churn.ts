import { setTimeout as delay } from "node:timers/promises";
import { randomFor } from "../../fuzz/random.ts";
import { type AnswerLog, readAnswerLogs } from "./answer-log.ts";
import { type Chronicle, emptyChronicle } from "./chronicle.ts";
import { type ChurnStage, startChurnStage } from "./churn-stage.ts";
import { type Fault, runFaults } from "./faults.ts";
import { askForOwners } from "./key-owners.ts";
import { runLane } from "./lane.ts";
import { type NetworkEvent, watchNetworks } from "./network-events.ts";
import { reusesWithin } from "./reuses.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What is to be run. */
export interface ChurnOptions {
  readonly containers: number;
  readonly seed: number;
  /** The checkout whose gateway is under test. */
  readonly tree: string;
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
  /** How long the first answer of each process took, in milliseconds, in order. */
  readonly firstAnswersMs: readonly number[];
  readonly verdict: Verdict;
}

const LANES = 4;
/** So that the last ones become old enough to count. */
const LAST_LOOK_MS = 1_500;
const REUSE_MS = 1_000;

/** Runs churn with faults on a Docker host of its own and judges every answer that any container had. */
export async function runChurn(options: ChurnOptions): Promise<ChurnReport> {
  const startedAt = performance.now();
  const stage = await startChurnStage(options.tree);
  try {
    const networkEvents = watchNetworks(stage.dockerSocket);
    const chronicle = await churn(stage, options).finally(networkEvents.end);
    return await reportOn(stage, { chronicle, seed: options.seed, startedAt, networkEvents: networkEvents.seen });
  } finally {
    await stage.stop();
  }
}

async function churn(stage: ChurnStage, { containers, seed, faults, limitMs }: ChurnOptions): Promise<Chronicle> {
  const chronicle = emptyChronicle();
  const endAt = performance.now() + limitMs;
  const end = new AbortController();
  let isAllTried = false;
  const isDone = () => chronicle.containers.size >= containers && isAllTried;
  const goOn = () => !isDone() && performance.now() < endAt && !end.signal.aborted;
  let isUp: Promise<void> = Promise.resolve();
  const troubles = runFaults(faults, {
    stage,
    chronicle,
    progress: () => chronicle.containers.size / containers,
    onDockerdDown: (up) => {
      isUp = up;
    },
    signal: end.signal,
  }).then(() => {
    isAllTried = true;
  });
  const lanes = Array.from({ length: LANES }, (_, number) =>
    runLane({ docker: stage.docker, chronicle, random: randomFor(seed, number), number, goOn, dockerIsUp: () => isUp }),
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

async function reportOn(stage: ChurnStage, { chronicle, seed, startedAt, networkEvents }: Run): Promise<ChurnReport> {
  const logs: readonly AnswerLog[] = [...readAnswerLogs(stage.answers)];
  const documents = logs.flatMap(({ answers }) => answers.filter(({ kind, outcome }) => kind === "doc" && outcome === "200"));
  const owners = await askForOwners(stage.host, new Set(documents.map(({ value }) => value)));
  const firstAnswers = logs.flatMap(({ answers: [first] }) => (first === undefined ? [] : [first.doneAt - first.sentAt]));
  return {
    seed,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    containers: [...chronicle.containers.values()].filter(({ id }) => id !== "").length,
    acts: chronicle.acts,
    reuses: reusesWithin(REUSE_MS, logs, chronicle, networkEvents),
    firstAnswersMs: firstAnswers.sort((one, other) => one - other),
    verdict: judge(logs, chronicle, (accessKeyId) => owners.get(accessKeyId)),
  };
}
