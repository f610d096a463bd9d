import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startContenders } from "./contenders.ts";
import { layOutLoopback, layOutNamespaces } from "./lab.ts";
import { writeMarkedSection } from "./marked-section.ts";
import { INSIDE, runInOwnNetwork } from "./own-network.ts";
import { ownedRun, type Run } from "./owned-run.ts";
import { memoryOf } from "./process-usage.ts";
import { machineFacts, renderReport } from "./report.ts";
import { type Plan, runRounds } from "./rounds.ts";

const HELP = `npm run bench -- [--quick] [--write]

Asks a metadata service directly, and through nginx, http-proxy and imdsgate, by 1, 16 and 64 connections at once
with a new connection for each request. Prints tables in Markdown; progress goes to stderr. It asserts nothing.

  --quick   a tenth of the requests: to see that it works
  --write   put the tables into docs/performance.md as well
  --help    this text

It runs in network namespaces of its own without an uplink where the machine allows that (root or not; needs unshare,
nsenter and ip), else on loopback with a static workload. nginx is left out where it is not installed (Debian: nginx-light).
`;

const FULL: Plan = { rounds: 7, requests: 1_400, warmUp: 4_000 };
const QUICK: Plan = { rounds: 2, requests: 250, warmUp: 100 };
const PAGE = fileURLToPath(new URL("../docs/performance.md", import.meta.url));

async function main(): Promise<number> {
  const values = parseFlags(process.argv.slice(2));
  if (values === undefined || values.help) {
    process.stdout.write(HELP);
    return values === undefined ? 2 : 0;
  }
  const isInside = process.argv.includes(INSIDE);
  if (!isInside) {
    const code = await runInOwnNetwork(fileURLToPath(import.meta.url), process.argv.slice(2));
    if (code !== undefined) return code;
    say("this machine allows no network namespaces of one's own (or unshare, nsenter or ip is missing): all runs on loopback");
  }
  const report = await ownedRun((run) => bench(values.quick ? QUICK : FULL, isInside, run));
  process.stdout.write(`${report}\n`);
  if (values.write) writeMarkedSection(PAGE, report);
  return 0;
}

/** Undefined when a flag is none of ours. */
function parseFlags(args: readonly string[]): { readonly quick?: boolean; readonly write?: boolean; readonly help?: boolean } | undefined {
  const options = { quick: { type: "boolean" }, write: { type: "boolean" }, help: { type: "boolean" } } as const;
  try {
    return parseArgs({ args: args.filter((arg) => arg !== INSIDE), options }).values;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function bench(plan: Plan, isInside: boolean, { owner, directory }: Run): Promise<string> {
  const facts = machineFacts(new Date());
  const lab = isInside ? await layOutNamespaces(owner) : await layOutLoopback(owner);
  const contenders = await startContenders({ lab, directory, owner });
  const idle = contenders.map(({ pid }) => memoryOf(pid).nowMib);
  const startedAt = performance.now();
  const cells = await runRounds(lab, contenders, plan, (text) => say(`${((performance.now() - startedAt) / 1_000).toFixed(0)} s  ${text}`));
  const memory = contenders
    .map(({ name, pid }, index) => {
      const { nowMib, peakMib } = memoryOf(pid);
      return { contender: name, idleMib: idle[index] ?? 0, afterMib: nowMib, peakMib };
    })
    .filter(({ contender }) => contender !== "imdsgate, static workload");
  const { freshness } = lab;
  return renderReport({ cells, memory, freshness, facts: [...facts, workloadFact(isInside)] });
}

function workloadFact(isInside: boolean): string {
  return isInside
    ? "the client is a real process in a network namespace of its own, attested by pid, start time and address on every connection"
    : "no namespaces here: the client is a static workload on loopback, attested by configuration alone";
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exitCode = await main();
