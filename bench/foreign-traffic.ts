import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Member } from "./crowd.ts";
import type { KeptHost } from "./kept-host.ts";
import type { Load, Outcome } from "./load-client.ts";
import { median } from "./median.ts";
import { type Program, startProgram } from "./program.ts";
import { enteringNetwork, runTool } from "./run-tool.ts";
import { stated } from "./stated-answers.ts";
import { ask } from "./talk.ts";

/** How much is asked. */
export interface ForeignPlan {
  readonly rounds: number;
  readonly requests: number;
}

/** What requests that are none of imdsgate's take through the host: medians over the rounds, in milliseconds. */
export interface ForeignTraffic {
  readonly requests: number;
  readonly withoutMs: number;
  /** Of each round's median, against that of the same round without. */
  readonly rulesRatio: number;
  readonly guardRatio: number;
  /** Once more without, to tell what two measurements of the same differ in. */
  readonly againRatio: number;
  readonly failures: number;
}

/** What a container host has without imdsgate too: Docker's NAT, by which every packet's connection is looked up. */
const NAT = `table ip elsewhere {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 198.18.0.0/15 oifname "uplink" masquerade
  }
}
`;

const WARM_UPS = 3;
/** Until whoever put something in has come to rest. */
const SETTLE_MS = 2_000;

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The parts of a round, and what is in while each is measured. */
const PARTS = [
  ["rules", "rules"],
  ["nothing", "nothing"],
  ["again", "nothing"],
  ["guarded", "rules and guard"],
] as const;

type Part = (typeof PARTS)[number][0];
type Round = ReadonlyMap<Part, Outcome>;

/** One container asks another one, on another bridge, by a new connection each time: with the rules, with the guard too, and without both. */
export async function measureForeign(host: KeptHost, crowd: readonly Member[], plan: ForeignPlan): Promise<ForeignTraffic> {
  await using owner = new AsyncDisposableStack();
  const [from, to] = crowd;
  if (from === undefined || to === undefined) throw new Error("two containers are needed");
  runTool(["nft", "-f", "-"], NAT);
  const server = await startProgram({ command: inNetwork(to, "upstream.ts", to.address) }, owner);
  const client = await startProgram({ command: inNetwork(from, "load-client.ts") }, owner);
  const load = () => loadOnce(client, { host: to.address, port: server.port, from: [from.address], count: plan.requests });
  // Both programs are compiled by then.
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) await load();
  const under = async (what: (typeof PARTS)[number][1]) => {
    await host.end();
    if (what !== "nothing") await host.begin(what);
    if (what === "rules and guard") await host.hold(crowd);
    await sleep(SETTLE_MS);
    return load();
  };
  const rounds: Round[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    const outcomes = new Map<Part, Outcome>();
    // What was in before may be felt for a while.
    for (const [part, what] of round % 2 === 0 ? PARTS : PARTS.toReversed()) outcomes.set(part, await under(what));
    rounds.push(outcomes);
  }
  return costOf(rounds, plan);
}

function costOf(rounds: readonly Round[], plan: ForeignPlan): ForeignTraffic {
  const p50 = (round: Round, part: Part) => round.get(part)?.p50Ms ?? Number.NaN;
  const ratio = (part: Part) => median(rounds.map((round) => p50(round, part) / p50(round, "nothing")));
  const outcomes = rounds.flatMap((round) => [...round.values()]);
  return {
    requests: plan.rounds * plan.requests,
    withoutMs: median(rounds.map((round) => p50(round, "nothing"))),
    rulesRatio: ratio("rules"),
    guardRatio: ratio("guarded"),
    againRatio: ratio("again"),
    failures: outcomes.reduce((sum, { failures }) => sum + failures, 0),
  };
}

function loadOnce(client: Program, load: Pick<Load, "host" | "port" | "from" | "count">): Promise<Outcome> {
  return ask(client, { ...load, ...stated("pass-through"), connections: 1 } satisfies Load);
}

function inNetwork({ pid }: Member, name: string, ...args: readonly string[]): readonly string[] {
  return [...enteringNetwork(pid), process.execPath, script(name), ...args];
}
