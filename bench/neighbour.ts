import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Contender } from "./contenders.ts";
import type { Lab } from "./lab.ts";
import type { Outcome } from "./load-client.ts";
import { startProgram } from "./program.ts";
import { stated } from "./stated-answers.ts";

/** How much the quiet one asks. */
export interface NeighbourPlan {
  readonly rounds: number;
  /** Questions of one round, alone and again beside the greedy one. */
  readonly questions: number;
}

/** What a quiet workload waits for its warm credentials, alone and beside a greedy one: medians over the rounds. */
export interface NeighbourCost {
  readonly asked: "imdsgate" | "direct";
  readonly alone: Wait;
  readonly beside: Wait;
  readonly failures: number;
  /** What the greedy one got in the meantime. */
  readonly greedyPerSecond: number;
  readonly greedyRefusedPerSecond: number;
}

interface Wait {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const GREEDY = fileURLToPath(new URL("greedy-client.ts", import.meta.url));
const PAUSE_MS = 3;

/**
 * The quiet one asks imdsgate by one connection at a time. The same beside the greedy one that keeps imdsgate busy while the quiet one asks
 * the metadata service directly: that is what the shared cores cost, whoever answers.
 */
export async function measureNeighbours(
  lab: Lab,
  contenders: readonly Contender[],
  plan: NeighbourPlan,
): Promise<readonly NeighbourCost[]> {
  const asked = (["imdsgate", "direct"] as const).map((name) => ({ name, at: placeOf(contenders, name), rounds: [] as Round[] }));
  const greedyTarget = placeOf(contenders, "imdsgate");
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const { at, rounds } of asked) {
      const ask = () =>
        lab.web.load({
          ...at,
          ...stated("cached credentials"),
          connections: 1,
          count: plan.questions,
          pauseMs: PAUSE_MS,
        });
      const alone = await ask();
      rounds.push({ alone, ...(await besideGreedy(lab, greedyTarget, ask)) });
    }
  }
  return asked.map(({ name, rounds }) => costOf(name, rounds));
}

interface Round {
  readonly alone: Outcome;
  readonly beside: Outcome;
  readonly greedyPerSecond: number;
  readonly greedyRefusedPerSecond: number;
}

async function besideGreedy(lab: Lab, at: Pick<Contender, "host" | "port">, ask: () => Promise<Outcome>): Promise<Omit<Round, "alone">> {
  const { greedy } = lab;
  await using owner = new AsyncDisposableStack();
  const command = [...greedy.enter, process.execPath, GREEDY, at.host, `${at.port}`, greedy.addresses[0] ?? ""];
  const startedAt = performance.now();
  const { stdin, lines } = await startProgram({ command }, owner);
  const beside = await ask();
  stdin.end();
  const [line = "{}"]: string[] = await once(lines, "line");
  const { answers = 0, refused = 0 }: { answers?: number; refused?: number } = JSON.parse(line);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { beside, greedyPerSecond: answers / seconds, greedyRefusedPerSecond: refused / seconds };
}

function costOf(asked: NeighbourCost["asked"], rounds: readonly Round[]): NeighbourCost {
  const median = (value: (round: Round) => number) =>
    rounds.map(value).sort((one, other) => one - other)[Math.floor(rounds.length / 2)] ?? 0;
  const waitOf = (which: "alone" | "beside") => ({
    p50Ms: median((round) => round[which].p50Ms),
    p99Ms: median((round) => round[which].p99Ms),
  });
  return {
    asked,
    alone: waitOf("alone"),
    beside: waitOf("beside"),
    failures: rounds.reduce((sum, { alone, beside }) => sum + alone.failures + beside.failures, 0),
    greedyPerSecond: median(({ greedyPerSecond }) => greedyPerSecond),
    greedyRefusedPerSecond: median(({ greedyRefusedPerSecond }) => greedyRefusedPerSecond),
  };
}

function placeOf(contenders: readonly Contender[], wanted: Contender["name"]): Pick<Contender, "host" | "port"> {
  const found = contenders.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`${wanted} was not started`);
  return { host: found.host, port: found.port };
}
