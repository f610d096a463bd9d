import { setTimeout as sleep } from "node:timers/promises";
import type { Contender, ContenderName } from "./contenders.ts";
import { memoryOf } from "./process-usage.ts";
import { stated } from "./stated-answers.ts";

/** Resident memory of a contender, in MiB. */
export interface Memory {
  readonly contender: ContenderName;
  readonly what: string;
  readonly idleMib: number;
  readonly afterMib: number;
  readonly secondMib: number;
  readonly peakMib: number;
}

const SETTLE_MS = 2_000;

/**
 * Watches the memory of every process of `contenders`: idle (each has answered once), after `firstLoad`, and after a second load of `count`
 * of the same questions.
 */
export async function measureMemory<T>(
  contenders: readonly Contender[],
  count: number,
  firstLoad: () => Promise<T>,
): Promise<{ readonly memory: readonly Memory[]; readonly found: T }> {
  const now = async () => {
    await sleep(SETTLE_MS);
    return new Map(contenders.map(({ pid }) => [pid, memoryOf(pid).nowMib]));
  };
  await loadAll(contenders, 1);
  const idle = await now();
  const found = await firstLoad();
  const after = await now();
  await loadAll(contenders, count);
  const second = await now();
  const ofProcess = [...new Map(contenders.toReversed().map((contender) => [contender.pid, contender])).values()].reverse();
  const memory = ofProcess.map(({ name, asked, pid }) => ({
    contender: name,
    what: name === "node:http" ? `node:http, ${asked.join(", ")}` : name,
    idleMib: idle.get(pid) ?? 0,
    afterMib: after.get(pid) ?? 0,
    secondMib: second.get(pid) ?? 0,
    peakMib: memoryOf(pid).peakMib,
  }));
  return { memory, found };
}

async function loadAll(contenders: readonly Contender[], count: number): Promise<void> {
  for (const { host, port, from, asked } of contenders) {
    for (const request of asked) await from.load({ host, port, ...stated(request), connections: 16, count });
  }
}
