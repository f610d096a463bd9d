import { type Surroundings, startImdsgate } from "./imdsgate.ts";
import { stated } from "./stated-answers.ts";

/** From the start of the process to the first credentials that a container got, in milliseconds. */
export interface StartTimes {
  /** With nothing compiled before. */
  readonly coldMs: number;
  /** The median of the starts after that. */
  readonly warmMs: number;
  readonly warmStarts: number;
}

const ANSWER_TRIES = 50;

/** Starts imdsgate again and again, each time for one answer; the first start fills Node's compile cache, as the first start on a host does. */
export async function measureStarts(surroundings: Surroundings, warmStarts: number): Promise<StartTimes> {
  const coldMs = await timeToAnswer(surroundings);
  const warm: number[] = [];
  for (let start = 0; start < warmStarts; start += 1) warm.push(await timeToAnswer(surroundings));
  return { coldMs, warmMs: warm.sort((one, other) => one - other)[Math.floor(warmStarts / 2)] ?? 0, warmStarts };
}

async function timeToAnswer(surroundings: Surroundings): Promise<number> {
  await using owner = new AsyncDisposableStack();
  const startedAt = performance.now();
  const { port } = await startImdsgate(surroundings, owner);
  const { web, serverHost } = surroundings.lab;
  for (let attempt = 0; attempt < ANSWER_TRIES; attempt += 1) {
    const { failures } = await web.load({ host: serverHost, port, ...stated("cached credentials"), connections: 1, count: 1 });
    if (failures === 0) return performance.now() - startedAt;
  }
  throw new Error("imdsgate started and gave no credentials");
}
