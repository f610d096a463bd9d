import { type Clock, hasPassed, sleep } from "../clock.ts";
import type { RunCommand } from "../run-command.ts";
import type { BackendName } from "./backend.ts";
import { parseDump } from "./iptables-dump.ts";
import type { WatchRules } from "./rule-changes.ts";
import { runTool } from "./tool.ts";

/**
 * A sign in the kernel, in the very namespace and with the very privilege of the rules, that asks the gateway which keeps them to let
 * go. It takes the sign out to say that it does. Each function throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED.
 */
export interface ReleaseMark {
  put(): Promise<void>;
  stands(): Promise<boolean>;
  /** Harmless where it does not stand. */
  takeOut(): Promise<void>;
}

const TABLE = "inet imdsgate-released";
/** Not named like the chains of our rules, so that neither a repair nor a removal of those takes it for one. */
const CHAIN = "IMDSGATE_RELEASED";

/** The mark that goes with the rules of a backend; `program` is the one of an iptables backend. */
export function releaseMark(run: RunCommand, backend: BackendName, program: string): ReleaseMark {
  return backend === "nftables" ? nftMark(run) : iptablesMark(run, program);
}

/** An empty table. */
function nftMark(run: RunCommand): ReleaseMark {
  const load = async (input: string) => void (await runTool(run, { program: "nft", args: ["-f", "-"], input }));
  return {
    put: () => load(`add table ${TABLE}\n`),
    async stands() {
      const tables = await runTool(run, { program: "nft", args: ["list", "tables"] });
      return tables.split("\n").includes(`table ${TABLE}`);
    },
    takeOut: () => load(`add table ${TABLE}\ndelete table ${TABLE}\n`),
  };
}

/** An empty chain, in a table where our rules stand. */
function iptablesMark(run: RunCommand, program: string): ReleaseMark {
  async function load(line: string): Promise<void> {
    await runTool(run, { program: `${program}-restore`, args: ["--noflush", "-w", "3"], input: `*mangle\n${line}\nCOMMIT\n` });
  }
  async function stands(): Promise<boolean> {
    // All tables: who asks iptables-legacy for one by its name makes it, and no program can take it out again.
    const dump = parseDump(await runTool(run, { program: `${program}-save`, args: [] }));
    return dump.some(({ name, chains }) => name === "mangle" && chains.has(CHAIN));
  }
  return {
    put: () => load(`:${CHAIN} - [0:0]`),
    stands,
    async takeOut() {
      if (!(await stands())) return;
      await load(`-X ${CHAIN}`).catch(async (error: unknown) => {
        // Who asks and who answers may both take it out at the same moment.
        if (await stands()) throw error;
      });
    },
  };
}

/** The mark's question for a gateway that hears `watch`: nobody puts it unheard, so while nothing is told there is nothing to ask for. */
export function askedWhenTold(
  mark: Pick<ReleaseMark, "stands">,
  watch: WatchRules,
): { readonly isReleaseAsked: () => Promise<boolean>; readonly watch: WatchRules } {
  let isTold = true;
  return {
    async isReleaseAsked() {
      if (!isTold) return false;
      isTold = false;
      let isSettled = false;
      try {
        isSettled = !(await mark.stands());
        return !isSettled;
      } finally {
        isTold ||= !isSettled;
      }
    },
    watch: (onChange, signal) =>
      watch(() => {
        isTold = true;
        onChange();
      }, signal),
  };
}

const ANSWER_MS = 3_000;
const LOOK_AGAIN_MS = 100;

/**
 * Asks the gateway that keeps the rules by the marks of all backends that hold some, and tells whether one let go within 3 s. No mark of
 * this call stays. Throws as the marks do.
 */
export async function askForRelease(marks: readonly ReleaseMark[], clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    for (const mark of marks) await mark.put();
    const since = clock.now();
    while (!signal.aborted && !hasPassed(since, ANSWER_MS, clock.now())) {
      for (const mark of marks) if (!(await mark.stands())) return true;
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
    return false;
  } finally {
    for (const mark of marks) await mark.takeOut();
  }
}
