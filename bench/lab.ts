import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type FreshnessCost, measureFreshness } from "./freshness-cost.ts";
import type { Load, Outcome } from "./load-client.ts";
import { PATH } from "./own-network.ts";
import { type Program, startProgram } from "./program.ts";

/** A workload that asks. */
export interface Place {
  readonly name: string;
  /** A process in the workload's network. */
  readonly pid: number;
  readonly addresses: readonly string[];
  readonly load: (load: Omit<Load, "from">) => Promise<Outcome>;
  /** What goes in front of a command that is to run in the workload's network. */
  readonly enter: readonly string[];
}

/** Where the servers listen, and who asks them. */
export interface Lab {
  readonly serverHost: string;
  /** Who asks for everything. */
  readonly web: Place;
  /** Another one with a role, in another network. */
  readonly greedy: Place;
  /** One without a role. */
  readonly unbound: Place;
  /** Those that a runtime tells of, each its own container; none where there are no namespaces. */
  readonly containers: readonly Place[];
  /** Those that only the configuration names. */
  readonly statics: readonly Place[];
  readonly freshness: readonly FreshnessCost[];
}

/** The block that RFC 2544 gives to benchmarks, by /24 of host and client. Mostly two of a workload, as none may hold over 64 connections. */
const WEB = ["198.18.0", "198.18.1"];
const GREEDY = ["198.18.2"];
const UNBOUND = ["198.18.3", "198.18.4"];
const STATIC = ["198.19.0", "198.19.1"];

const CLIENT = [process.execPath, fileURLToPath(new URL("load-client.ts", import.meta.url))];

/** Inside an own network: two clients, each in a network namespace beside it, joined by a pair of interfaces. */
export async function layOutNamespaces(owner: AsyncDisposableStack): Promise<Lab> {
  run("ip", "link", "set", "lo", "up");
  const [first, firstCosts] = await startNeighbour("bench0", WEB, owner);
  const [second, secondCosts] = await startNeighbour("bench1", [...GREEDY, ...UNBOUND, ...STATIC], owner);
  const hosts = (subnets: readonly string[]) => subnets.map((subnet) => `${subnet}.10`);
  const web = placeOf("web", first, hosts(WEB));
  const greedy = placeOf("web-greedy", second, hosts(GREEDY));
  const unbound = placeOf("other", second, hosts(UNBOUND));
  const freshness = [...firstCosts, ...secondCosts.slice(-1)];
  const statics = [placeOf("web-static", second, hosts(STATIC))];
  return { serverHost: `${WEB[0]}.1`, web, greedy, unbound, containers: [web, greedy, unbound], statics, freshness };
}

/** Where there are no namespaces: all on loopback, every client known by configuration alone. */
export async function layOutLoopback(owner: AsyncDisposableStack): Promise<Lab> {
  const start = async () => clientOf(await startProgram({ command: CLIENT }, owner), []);
  const [first, second] = [await start(), await start()];
  const web = placeOf("web-static", first, ["127.0.1.10", "127.0.1.11"]);
  const greedy = placeOf("web-greedy", second, ["127.0.1.12"]);
  const unbound = placeOf("other", second, ["127.0.1.13", "127.0.1.14"]);
  return { serverHost: "127.0.0.1", web, greedy, unbound, containers: [], statics: [web, greedy, unbound], freshness: [] };
}

interface Client {
  readonly pid: number;
  readonly load: (load: Load) => Promise<Outcome>;
  readonly enter: readonly string[];
}

function placeOf(name: string, { pid, load, enter }: Client, addresses: readonly string[]): Place {
  return { name, pid, addresses, load: (asked) => load({ ...asked, from: addresses }), enter };
}

/** A client in a network namespace of its own with an address in each of `subnets`; with what the check of the first one costs after each. */
async function startNeighbour(
  link: string,
  subnets: readonly string[],
  owner: AsyncDisposableStack,
): Promise<readonly [Client, readonly FreshnessCost[]]> {
  const program = await startProgram({ command: ["unshare", "--net", ...CLIENT] }, owner);
  const enter = ["nsenter", "--target", `${program.pid}`, "--net"];
  run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", `${program.pid}`);
  run("ip", "link", "set", link, "up");
  run(...enter, "ip", "link", "set", "lo", "up");
  run(...enter, "ip", "link", "set", "eth0", "up");
  const costs = subnets.map((subnet) => {
    run("ip", "addr", "add", `${subnet}.1/24`, "dev", link);
    run(...enter, "ip", "addr", "add", `${subnet}.10/24`, "dev", "eth0");
    return measureFreshness(program.pid, `${subnets[0]}.10`);
  });
  run(...enter, "ip", "route", "add", "default", "via", `${subnets[0]}.1`);
  return [clientOf(program, enter), costs];
}

/** One load after the other: the next line of the client answers the last one asked. */
function clientOf({ pid, stdin, lines }: Program, enter: readonly string[]): Client {
  let settle: PromiseWithResolvers<Outcome> | undefined;
  lines.on("line", (line) => settle?.resolve(JSON.parse(line)));
  lines.on("close", () => settle?.reject(new Error("the load client ended")));
  const load = (asked: Load) => {
    settle = Promise.withResolvers<Outcome>();
    stdin.write(`${JSON.stringify(asked)}\n`);
    return settle.promise;
  };
  return { pid, load, enter };
}

function run(...[file = "", ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(file, args, { env: { ...process.env, PATH }, encoding: "utf8", timeout: 10_000 });
  if (status !== 0) throw new Error(`${[file, ...args].join(" ")}: ${stderr}`);
}
