import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Stage, startContenders, startUpstream } from "./contenders.ts";
import { measureCredentials } from "./credentials.ts";
import { renderCredentials } from "./credentials-report.ts";
import { refuseUnguarded } from "./guard-check.ts";
import { measureIdentity } from "./identity.ts";
import { renderIdentity } from "./identity-report.ts";
import { measureLoadedMemory } from "./idle-memory.ts";
import { startSurroundings } from "./imdsgate.ts";
import { type Lab, layOutLoopback, layOutNamespaces } from "./lab.ts";
import { machineFacts } from "./machine-facts.ts";
import { type SectionName, writeMarkedSection } from "./marked-section.ts";
import { measureMemory } from "./memory.ts";
import { measureNeighbours } from "./neighbour.ts";
import { INSIDE, runInOwnNetwork } from "./own-network.ts";
import { ownedRun } from "./owned-run.ts";
import { FULL, type FullPlan, QUICK } from "./plans.ts";
import { profileReport } from "./profile.ts";
import { renderReport } from "./report.ts";
import { runRounds } from "./rounds.ts";
import { measureRules } from "./rules.ts";
import { renderRules } from "./rules-report.ts";
import { measureStarts } from "./start-time.ts";

const HELP = `npm run bench -- [--quick] [--profile | --credentials | --rules | --identity] [--write]

Asks a metadata service directly, and through nginx, http-proxy, bare node:http and imdsgate, by 1, 16 and 64 connections
at once with a new connection for each request; measures memory, the start, and what a quiet workload waits beside a
greedy one; then what credentials cost: a new container's first ones, and an hour of 10,000 leases, which passes as fast as its work
is done; then the rules and who is there, on a host with 1,000 containers. Prints tables in Markdown; progress goes to stderr. It asserts nothing: the goals are told met or missed.

  --quick     a tenth of the requests: to see that it works
  --profile   instead of all that: where imdsgate's time goes, by a CPU profile under load
  --credentials   of all that, only what credentials cost
  --rules     only what the rules, the guard and their keeper cost; --identity   only what it costs to know who is there
  --write     put the tables into docs/performance.md as well
  --help      this text

It runs in network namespaces of its own without an uplink where the machine allows that (root or not; needs unshare,
nsenter and ip; nft for rules), else on loopback with static workloads, without rules and identity. nginx is left out where it is not installed (Debian: nginx-light).
`;

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
  const sections = await ownedRun(async (run) => {
    const lab = isInside ? await layOutNamespaces(run.owner) : await layOutLoopback(run.owner);
    return measured(values, { plan, facts: [...machineFacts(new Date()), ...labFacts(lab)], stage: { ...run, lab } });
  });
  for (const [name, markdown] of sections) {
    process.stdout.write(`${markdown}\n\n`);
    if (values.write) writeMarkedSection(PAGE, name, markdown);
  }
  return 0;
}

type Section = readonly [SectionName, string];

/** What a run without flags measures, in this order; undefined where this machine cannot. */
const PARTS: Readonly<Record<"measured" | "credentials" | "rules" | "identity", (run: Wanted) => Promise<string | undefined>>> = {
  measured: bench,
  credentials: async ({ stage, plan, facts }) => renderCredentials(await measureCredentials(stage, plan.credentials), facts),
  rules: async ({ stage, plan, facts }) =>
    stage.lab.noRulesBecause === undefined ? renderRules(await measureRules(plan.rules, say), facts) : undefined,
  identity: async ({ stage, plan, facts }) =>
    stage.lab.containers.length > 0 ? renderIdentity(await measureIdentity(stage, plan.identity, say), facts) : undefined,
};

interface Wanted {
  readonly plan: FullPlan;
  readonly facts: readonly string[];
  readonly stage: Stage;
}

async function measured(values: Values, wanted: Wanted): Promise<readonly Section[]> {
  if (values.profile) return [["profile", await profileReport(wanted.stage, wanted.plan.profiled, wanted.facts)]];
  const sections: Section[] = [];
  for (const name of wantedParts(values)) {
    say(name);
    const markdown = await PARTS[name](wanted);
    if (markdown === undefined) say(`${name}: not measured, this machine cannot`);
    else sections.push([name, markdown]);
  }
  return sections;
}

function wantedParts(values: Values): readonly (keyof typeof PARTS)[] {
  const single = (["credentials", "rules", "identity"] as const).find((name) => values[name]);
  return single === undefined ? ["measured", "credentials", "rules", "identity"] : [single];
}

interface Values {
  readonly quick?: boolean;
  readonly profile?: boolean;
  readonly credentials?: boolean;
  readonly rules?: boolean;
  readonly identity?: boolean;
  readonly write?: boolean;
  readonly help?: boolean;
}

/** Undefined when a flag is none of ours. */
function parseFlags(args: readonly string[]): Values | undefined {
  const flag = { type: "boolean" } as const;
  const options = { quick: flag, profile: flag, credentials: flag, rules: flag, identity: flag, write: flag, help: flag };
  try {
    return parseArgs({ args: args.filter((arg) => arg !== INSIDE), options }).values;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function bench({ plan, facts, stage: whole }: Wanted): Promise<string> {
  // What it starts ends with it: one network has the rules of one daemon.
  await using owner = new AsyncDisposableStack();
  const stage = { ...whole, owner };
  const { lab, directory } = stage;
  const begunAt = performance.now();
  const progress = (text: string) => say(`${((performance.now() - begunAt) / 1_000).toFixed(0)} s  ${text}`);
  progress("loaded libraries");
  const loaded = await measureLoadedMemory(directory);
  const upstream = await startUpstream(stage);
  const surroundings = await startSurroundings(lab, directory, `http://${lab.serverHost}:${upstream.port}`, owner);
  progress("starts");
  const starts = await measureStarts(stage, surroundings, plan.warmStarts);
  const contenders = await startContenders(stage, upstream, surroundings);
  const { memory, found: cells } = await measureMemory(contenders, plan.secondLoad, () => runRounds(contenders, plan, progress));
  progress("neighbours");
  const neighbours = await measureNeighbours(lab, contenders, plan.neighbour);
  refuseUnguarded(lab, directory);
  return renderReport({ cells, memory, loaded, starts, neighbours, freshness: lab.freshness, facts });
}

/** How the clients of this run are known, and how they are led to who answers them. */
function labFacts({ containers, noRulesBecause }: Lab): readonly string[] {
  if (containers.length === 0) return ["no namespaces here: the client is a static workload on loopback, attested by configuration alone"];
  const host =
    "each client is a real process in a network namespace of its own on a bridge of the host, attested on every connection by pid, start time and address";
  return noRulesBecause === undefined
    ? [
        host,
        "imdsgate is asked at 169.254.169.254 through its own nftables rules and its bridge guard, which held all the time; the others through a redirect of the same kind",
      ]
    : [host, `no rules and no guard (${noRulesBecause}): nobody is redirected, and each connection to imdsgate is proven by its socket`];
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exitCode = await main();
