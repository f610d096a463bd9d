import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Member } from "./crowd.ts";
import type { KeptHost } from "./kept-host.ts";
import type { Load, Outcome } from "./load-client.ts";
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

interface Round {
  readonly rules: Outcome;
  readonly nothing: Outcome;
  readonly again: Outcome;
  readonly guarded: Outcome;
}

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
  const under = async (what: "rules and guard" | "rules" | "nothing") => {
    await host.end();
    if (what !== "nothing") await host.begin(what);
    if (what === "rules and guard") await host.hold(crowd);
    await sleep(SETTLE_MS);
    return load();
  };
  const rounds: Round[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    // What is compared is asked one right after the other.
    const [rules, nothing] = [await under("rules"), await under("nothing")];
    rounds.push({ rules, nothing, again: await under("nothing"), guarded: await under("rules and guard") });
  }
  return costOf(rounds, plan);
}

function costOf(rounds: readonly Round[], plan: ForeignPlan): ForeignTraffic {
  const ratio = (which: keyof Round) => median(rounds.map((round) => round[which].p50Ms / round.nothing.p50Ms));
  const outcomes = rounds.flatMap(({ rules, nothing, again, guarded }) => [rules, nothing, again, guarded]);
  return {
    requests: plan.rounds * plan.requests,
    withoutMs: median(rounds.map(({ nothing }) => nothing.p50Ms)),
    rulesRatio: ratio("rules"),
    guardRatio: ratio("guarded"),
    againRatio: ratio("again"),
    failures: outcomes.reduce((sum, { failures }) => sum + failures, 0),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function loadOnce(client: Program, load: Pick<Load, "host" | "port" | "from" | "count">): Promise<Outcome> {
  return ask(client, { ...load, ...stated("pass-through"), connections: 1 } satisfies Load);
}

function inNetwork({ pid }: Member, name: string, ...args: readonly string[]): readonly string[] {
  return [...enteringNetwork(pid), process.execPath, script(name), ...args];
}
