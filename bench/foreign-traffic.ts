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
  readonly withRulesMs: number;
  readonly withoutMs: number;
  /** Once more without, to tell what two measurements of the same differ in. */
  readonly againMs: number;
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

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** One container asks another one, on another bridge, by a new connection each time: with all rules and the guard, and without them. */
export async function measureForeign(host: KeptHost, crowd: readonly Member[], plan: ForeignPlan): Promise<ForeignTraffic> {
  await using owner = new AsyncDisposableStack();
  const [from, to] = crowd;
  if (from === undefined || to === undefined) throw new Error("two containers are needed");
  runTool(["nft", "-f", "-"], NAT);
  const server = await startProgram({ command: inNetwork(to, "upstream.ts", to.address) }, owner);
  const client = await startProgram({ command: inNetwork(from, "load-client.ts") }, owner);
  const load = () => loadOnce(client, { host: to.address, port: server.port, from: [from.address], count: plan.requests });
  await load();
  const rounds: { with: Outcome; without: Outcome; again: Outcome }[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    const withRules = await load();
    await host.end();
    rounds.push({ with: withRules, without: await load(), again: await load() });
    await host.begin();
    await host.hold(crowd);
  }
  const median = (which: "with" | "without" | "again") =>
    rounds.map((round) => round[which].p50Ms).sort((one, other) => one - other)[Math.floor(rounds.length / 2)] ?? 0;
  const failures = rounds.flatMap((round) => [round.with, round.without, round.again]).reduce((sum, one) => sum + one.failures, 0);
  return {
    requests: plan.rounds * plan.requests,
    withRulesMs: median("with"),
    withoutMs: median("without"),
    againMs: median("again"),
    failures,
  };
}

function loadOnce(client: Program, load: Pick<Load, "host" | "port" | "from" | "count">): Promise<Outcome> {
  return ask(client, { ...load, ...stated("pass-through"), connections: 1 } satisfies Load);
}

function inNetwork({ pid }: Member, name: string, ...args: readonly string[]): readonly string[] {
  return [...enteringNetwork(pid), process.execPath, script(name), ...args];
}
