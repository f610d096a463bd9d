import type { Stage } from "./contenders.ts";
import { type Surroundings, startImdsgate } from "./imdsgate.ts";
import { cpuMicrosOf } from "./process-usage.ts";
import { stated } from "./stated-answers.ts";

/** From the start of the process to the first credentials that a container got, in milliseconds: on the clock, and of CPU time. */
interface StartTime {
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface StartTimes {
  /** With nothing compiled before. */
  readonly cold: StartTime;
  /** The medians of the starts after that. */
  readonly warm: StartTime;
  readonly warmStarts: number;
}

const ANSWER_TRIES = 50;

/** Starts imdsgate again and again, each time for one answer; the first start fills Node's compile cache, as the first start on a host does. */
export async function measureStarts({ lab }: Stage, surroundings: Surroundings, warmStarts: number): Promise<StartTimes> {
  const cold = await timeToAnswer(lab, surroundings);
  const warm: StartTime[] = [];
  for (let start = 0; start < warmStarts; start += 1) warm.push(await timeToAnswer(lab, surroundings));
  const median = (which: keyof StartTime) =>
    warm.map((one) => one[which]).sort((one, other) => one - other)[Math.floor(warmStarts / 2)] ?? 0;
  return { cold, warm: { wallMs: median("wallMs"), cpuMs: median("cpuMs") }, warmStarts };
}

async function timeToAnswer({ web }: Stage["lab"], surroundings: Surroundings): Promise<StartTime> {
  await using owner = new AsyncDisposableStack();
  const startedAt = performance.now();
  const { pid, host, port } = await startImdsgate(surroundings, owner);
  for (let attempt = 0; attempt < ANSWER_TRIES; attempt += 1) {
    const { failures } = await web.load({ host, port, ...stated("cached credentials"), connections: 1, count: 1 });
    if (failures === 0) return { wallMs: performance.now() - startedAt, cpuMs: cpuMicrosOf(pid) / 1_000 };
  }
  throw new Error("imdsgate started and gave no credentials");
}
