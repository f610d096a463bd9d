import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startContenders } from "./contenders.ts";
import { layOutLoopback, layOutNamespaces } from "./lab.ts";
import { writeMarkedSection } from "./marked-section.ts";
import { INSIDE, runInOwnNetwork } from "./own-network.ts";
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
  const options = {
    quick: { type: "boolean" },
    write: { type: "boolean" },
    help: { type: "boolean" },
    [INSIDE.slice(2)]: { type: "boolean" },
  } as const;
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const isInside = process.argv.includes(INSIDE);
  if (!isInside) {
    const code = await runInOwnNetwork(fileURLToPath(import.meta.url), process.argv.slice(2));
    if (code !== undefined) return code;
    say("this machine allows no network namespaces of one's own (or unshare, nsenter or ip is missing): all runs on loopback");
  }
  const report = await bench(values.quick ? QUICK : FULL, isInside);
  process.stdout.write(`${report}\n`);
  if (values.write) writeMarkedSection(PAGE, report);
  return 0;
}

async function bench(plan: Plan, isInside: boolean): Promise<string> {
  await using owner = new AsyncDisposableStack();
  endOnSignal(owner);
  const facts = machineFacts(new Date());
  const directory = mkdtempSync(`${tmpdir()}/imdsgate-bench-`);
  owner.defer(() => rmSync(directory, { recursive: true, force: true }));

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

/** Whatever was started is ended also when somebody has seen enough. */
function endOnSignal(owner: AsyncDisposableStack): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      say("ending");
      void owner.disposeAsync().finally(() => process.exit(130));
    });
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exitCode = await main();
