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

const HELP = `npm run bench -- [--quick] [--requests] [--credentials] [--rules] [--identity] [--profile] [--write]

Measures what imdsgate costs and prints tables in Markdown; progress goes to stderr. It asserts nothing: the goals are told met or missed.
A whole run takes a quarter of an hour. It has four parts; name those that are wanted, and none for all of them:

  --requests     asks a metadata service directly, and through nginx, http-proxy, bare node:http and imdsgate, by 1, 16 and 64 connections at
                 once with a new connection for each request; then memory, the start, and what a quiet workload waits beside a greedy one
  --credentials  a new container's first ones, and an hour of 10,000 leases, which passes as fast as its work is done
  --rules        a host with 1,000 containers: the rules, the guard, and a keeper that is left alone for a minute and a half
  --identity     1,000 containers: who asks, how soon all are known, and one more
  --profile      where imdsgate's time goes, by a CPU profile under load; only where it is named

  --write        put each table into docs/performance.md as soon as it is there; what is not measured stays as it is
  --quick        a tenth of everything, in one or two minutes: to see that it works. Goals that are for more are not judged
  --help         this text

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
  const isWhole = await ownedRun(async (run) => {
    const lab = isInside ? await layOutNamespaces(run.owner) : await layOutLoopback(run.owner);
    const machine = machineFacts(new Date());
    const wanted = { plan, machine, facts: [...machine, ...labFacts(lab)], stage: { ...run, lab } };
    return measureAll(partsIn(values), wanted, (name, markdown) => {
      process.stdout.write(`${markdown}\n\n`);
      if (values.write) writeMarkedSection(PAGE, name, markdown);
    });
  });
  return isWhole ? 0 : 1;
}

interface Wanted {
  readonly plan: FullPlan;
  readonly machine: readonly string[];
  /** The machine, and how the clients of the lab are known. */
  readonly facts: readonly string[];
  readonly stage: Stage;
}

const PART_NAMES = ["requests", "credentials", "rules", "identity", "profile"] as const;
type PartName = (typeof PART_NAMES)[number];

/** A part, the section of the page that it fills, and how; its text is undefined where this machine cannot. */
interface Part {
  readonly section: SectionName;
  readonly measure: (wanted: Wanted) => Promise<string | undefined>;
}

const PARTS: Readonly<Record<PartName, Part>> = {
  requests: { section: "measured", measure: measureRequests },
  credentials: {
    section: "credentials",
    measure: async ({ stage, plan, facts }) => renderCredentials(await measureCredentials(stage, plan.credentials), facts),
  },
  rules: {
    section: "rules",
    measure: async ({ stage, plan, machine }) =>
      stage.lab.noRulesBecause === undefined ? renderRules(await measureRules(plan.rules, say), machine) : undefined,
  },
  identity: {
    section: "identity",
    measure: async ({ stage, plan, machine }) =>
      stage.lab.containers.length > 0 ? renderIdentity(await measureIdentity(stage, plan.identity, say), machine) : undefined,
  },
  profile: { section: "profile", measure: ({ stage, plan, facts }) => profileReport(stage, plan.profiled, facts) },
};

/** Measures part by part and hands over each as soon as it is there. One that fails is told, and the next begins; whether none failed. */
async function measureAll(
  names: readonly PartName[],
  wanted: Wanted,
  publish: (section: SectionName, markdown: string) => void,
): Promise<boolean> {
  let isWhole = true;
  for (const name of names) {
    say(`${name} begins`);
    const { section, measure } = PARTS[name];
    try {
      const markdown = await measure(wanted);
      if (markdown === undefined) say(`${name}: not measured, this machine cannot`);
      else publish(section, markdown);
    } catch (error) {
      isWhole = false;
      say(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return isWhole;
}

function partsIn(values: Values): readonly PartName[] {
  const named = PART_NAMES.filter((name) => values[name]);
  return named.length > 0 ? named : PART_NAMES.filter((name) => name !== "profile");
}

type Values = Partial<Readonly<Record<PartName | "quick" | "write" | "help", boolean>>>;

/** Undefined when a flag is none of ours. */
function parseFlags(args: readonly string[]): Values | undefined {
  const options = Object.fromEntries([...PART_NAMES, "quick", "write", "help"].map((name) => [name, { type: "boolean" as const }]));
  try {
    return parseArgs({ args: args.filter((arg) => arg !== INSIDE), options }).values;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function measureRequests({ plan, facts, stage: whole }: Wanted): Promise<string> {
  // What it starts ends with it: one network has the rules of one daemon.
  await using owner = new AsyncDisposableStack();
  const stage = { ...whole, owner };
  const { lab, directory } = stage;
  say("loaded libraries");
  const loaded = await measureLoadedMemory(directory);
  const upstream = await startUpstream(stage);
  const surroundings = await startSurroundings(lab, directory, `http://${lab.serverHost}:${upstream.port}`, owner);
  say("starts");
  const starts = await measureStarts(stage, surroundings, plan.warmStarts);
  const contenders = await startContenders(stage, upstream, surroundings);
  const { memory, found: cells } = await measureMemory(contenders, plan.secondLoad, () => runRounds(contenders, plan, say));
  say("neighbours");
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

/** With the seconds since the start in front. */
function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1_000).toFixed(0)} s  ${text}\n`);
}

process.exitCode = await main();
