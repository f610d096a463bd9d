import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Stage, startContenders, startUpstream } from "./contenders.ts";
import { type CredentialsPlan, measureCredentials } from "./credentials.ts";
import { renderCredentials } from "./credentials-report.ts";
import { measureLoadedMemory } from "./idle-memory.ts";
import { startSurroundings } from "./imdsgate.ts";
import { layOutLoopback, layOutNamespaces } from "./lab.ts";
import { machineFacts } from "./machine-facts.ts";
import { type SectionName, writeMarkedSection } from "./marked-section.ts";
import { measureMemory } from "./memory.ts";
import { measureNeighbours, type NeighbourPlan } from "./neighbour.ts";
import { INSIDE, runInOwnNetwork } from "./own-network.ts";
import { ownedRun } from "./owned-run.ts";
import { profileReport } from "./profile.ts";
import { renderReport } from "./report.ts";
import { type Plan, runRounds } from "./rounds.ts";
import { measureStarts } from "./start-time.ts";

const HELP = `npm run bench -- [--quick] [--profile | --credentials] [--write]

Asks a metadata service directly, and through nginx, http-proxy, bare node:http and imdsgate, by 1, 16 and 64 connections
at once with a new connection for each request; measures memory, the start, and what a quiet workload waits beside a
greedy one; then what credentials cost: a new container's first ones, and an hour of 10,000 leases, which passes as fast as its work
is done. Prints tables in Markdown; progress goes to stderr. It asserts nothing: the goals are told met or missed.

  --quick     a tenth of the requests: to see that it works
  --profile   instead of all that: where imdsgate's time goes, by a CPU profile under load
  --credentials   of all that, only what credentials cost
  --write     put the tables into docs/performance.md as well
  --help      this text

It runs in network namespaces of its own without an uplink where the machine allows that (root or not; needs unshare,
nsenter and ip), else on loopback with static workloads. nginx is left out where it is not installed (Debian: nginx-light).
`;

interface FullPlan extends Plan {
  readonly secondLoad: number;
  readonly warmStarts: number;
  readonly neighbour: NeighbourPlan;
  readonly profiled: number;
  readonly credentials: CredentialsPlan;
}

const FULL: FullPlan = {
  rounds: 7,
  requests: 1_400,
  warmUp: 4_000,
  secondLoad: 20_000,
  warmStarts: 7,
  neighbour: { rounds: 5, questions: 500 },
  profiled: 20_000,
  credentials: { newContainers: 25, warmAnswers: 5_000, leases: 10_000 },
};
const QUICK: FullPlan = {
  rounds: 2,
  requests: 250,
  warmUp: 100,
  secondLoad: 500,
  warmStarts: 2,
  neighbour: { rounds: 1, questions: 200 },
  profiled: 3_000,
  credentials: { newContainers: 5, warmAnswers: 500, leases: 1_000 },
};
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
  const plan = values.quick ? QUICK : FULL;
  const facts = [...machineFacts(new Date()), workloadFact(isInside)];
  const sections = await ownedRun(async (run) => {
    const lab = isInside ? await layOutNamespaces(run.owner) : await layOutLoopback(run.owner);
    return measured(values, plan, facts, { ...run, lab });
  });
  for (const [name, markdown] of sections) {
    process.stdout.write(`${markdown}\n\n`);
    if (values.write) writeMarkedSection(PAGE, name, markdown);
  }
  return 0;
}

type Section = readonly [SectionName, string];

async function measured(values: Values, plan: FullPlan, facts: readonly string[], stage: Stage): Promise<readonly Section[]> {
  if (values.profile) return [["profile", await profileReport(stage, plan.profiled, facts)]];
  const general: readonly Section[] = values.credentials ? [] : [["measured", await bench(plan, facts, stage)]];
  say("credentials");
  const credentials = await measureCredentials(stage, plan.credentials);
  return [...general, ["credentials", renderCredentials(credentials, facts)]];
}

interface Values {
  readonly quick?: boolean;
  readonly profile?: boolean;
  readonly credentials?: boolean;
  readonly write?: boolean;
  readonly help?: boolean;
}

/** Undefined when a flag is none of ours. */
function parseFlags(args: readonly string[]): Values | undefined {
  const flag = { type: "boolean" } as const;
  const options = { quick: flag, profile: flag, credentials: flag, write: flag, help: flag };
  try {
    return parseArgs({ args: args.filter((arg) => arg !== INSIDE), options }).values;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function bench(plan: FullPlan, facts: readonly string[], stage: Stage): Promise<string> {
  const { lab, directory, owner } = stage;
  const begunAt = performance.now();
  const progress = (text: string) => say(`${((performance.now() - begunAt) / 1_000).toFixed(0)} s  ${text}`);
  progress("loaded libraries");
  const loaded = await measureLoadedMemory(directory);
  const upstream = await startUpstream(stage);
  const surroundings = await startSurroundings(lab, directory, `http://${lab.serverHost}:${upstream.port}`, owner);
  progress("starts");
  const starts = await measureStarts(surroundings, plan.warmStarts);
  const contenders = await startContenders(stage, upstream, surroundings);
  const { memory, found: cells } = await measureMemory(lab.serverHost, contenders, plan.secondLoad, () =>
    runRounds(lab.serverHost, contenders, plan, progress),
  );
  progress("neighbours");
  const neighbours = await measureNeighbours(lab, contenders, plan.neighbour);
  return renderReport({ cells, memory, loaded, starts, neighbours, freshness: lab.freshness, facts });
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
