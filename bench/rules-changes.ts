import { procProcessTable } from "../src/identity/process-table.ts";
import { runCommand } from "../src/run-command.ts";
import type { Member } from "./crowd.ts";
import { GATEWAY_PORT, type KeptHost, type Ran } from "./kept-host.ts";

/** What one change took: all of it, and of that the one transaction that the kernel sees. */
export interface Change {
  readonly wholeMs: number;
  readonly transactionMs: number;
  /** All programs that ran for it, in the order in which they ended. */
  readonly ran: readonly Ran[];
}

/** What the rules and the guard of one host take. */
export interface RuleChanges {
  readonly backend: string;
  readonly containers: number;
  /** All rules anew, by the median of some. */
  readonly apply: Change;
  /** From a guard without containers to one with all, by the median of some; undefined where this host has no guard. */
  readonly guardAll: Change | undefined;
  /** A container more, by the median of some; undefined where this host has no guard. */
  readonly addOne: Change | undefined;
  /** The interfaces of all containers read in /proc, which is a part of each change. */
  readonly interfacesMs: number;
  /** A program that does nothing, started and ended as each of the others. */
  readonly startMs: number;
}

const ROUNDS = 5;
/** By which a transaction of the rules or of the guard is known among the programs that ran. */
const TRANSACTION = /^(nft -f|\S+-restore)/;

/** Measures on `host` with `containers`, to which those who are `coming` are added one by one. All of them are held at the end. */
export async function measureChanges(host: KeptHost, containers: readonly Member[], coming: readonly Member[]): Promise<RuleChanges> {
  const processTable = procProcessTable("/proc");
  const apply: Change[] = [];
  const guardAll: Change[] = [];
  const addOne: Change[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    apply.push(await measured(host, () => host.rules().apply("all", GATEWAY_PORT)));
    await host.holdNobody();
    guardAll.push(await measured(host, () => host.hold(containers)));
  }
  for (const index of coming.keys()) {
    const present = [...containers, ...coming.slice(0, index + 1)];
    addOne.push(await measured(host, () => host.hold(present)));
  }
  return {
    backend: host.rules().backend,
    containers: containers.length,
    apply: medianOf(apply),
    guardAll: host.hasGuard ? medianOf(guardAll) : undefined,
    addOne: host.hasGuard ? medianOf(addOne) : undefined,
    interfacesMs: await medianMs(async () => {
      for (const { pid } of containers) processTable.interfaceIndexes(pid);
    }),
    startMs: await medianMs(async () => void (await runCommand("true", []))),
  };
}

async function measured({ ran }: KeptHost, act: () => Promise<void>): Promise<Change> {
  ran.length = 0;
  const startedAt = performance.now();
  await act();
  const wholeMs = performance.now() - startedAt;
  const transactions = ran.filter(({ command }) => TRANSACTION.test(command));
  return { wholeMs, transactionMs: transactions.reduce((sum, { ms }) => sum + ms, 0), ran: [...ran] };
}

/** The one whose whole time is in the middle. */
function medianOf(changes: readonly Change[]): Change {
  const middle = changes.toSorted((one, other) => one.wholeMs - other.wholeMs)[Math.floor(changes.length / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}

async function medianMs(act: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    await act();
    times.push(performance.now() - startedAt);
  }
  return times.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)] ?? 0;
}
