import { fileURLToPath } from "node:url";
import { bridgeLines, innerLines, portLines, routeLines } from "./bridge.ts";
import { type FreshnessCost, measureFreshness } from "./freshness-cost.ts";
import { putRedirectIn, REDIRECTED_HOST } from "./lab-rules.ts";
import type { Load, Outcome } from "./load-client.ts";
import { type Program, startProgram } from "./program.ts";
import { enteringNetwork, runIp } from "./run-tool.ts";

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
  /** Where those that are compared with imdsgate are asked, each at its port. */
  readonly askedHost: string;
  /** Undefined where imdsgate puts its rules in and is asked at the address of IMDS; else why it does not, and is asked like the others. */
  readonly noRulesBecause: string | undefined;
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
/** Nobody asks from these: they are there for what the check of a container with as many addresses costs. */
const IDLE = ["198.19.2", "198.19.3", "198.19.4"];

const CLIENT = [process.execPath, fileURLToPath(new URL("load-client.ts", import.meta.url))];

/**
 * Inside an own network: a host with a bridge for each network, three containers on them, and a client behind a pair of interfaces that is
 * none. Each is in a network namespace of its own.
 */
export async function layOutNamespaces(owner: AsyncDisposableStack): Promise<Lab> {
  runIp(["link set lo up"]);
  const noRulesBecause = putRedirectIn();
  const web = await startContainer("web", WEB, owner);
  const greedy = await startContainer("web-greedy", GREEDY, owner);
  const unbound = await startContainer("other", UNBOUND, owner);
  const [statics, freshness] = await startNeighbour("web-static", STATIC, owner);
  const serverHost = `${WEB[0]}.1`;
  return {
    serverHost,
    askedHost: noRulesBecause === undefined ? REDIRECTED_HOST : serverHost,
    noRulesBecause,
    web,
    greedy,
    unbound,
    containers: [web, greedy, unbound],
    statics: [statics],
    freshness,
  };
}

/** Where there are no namespaces: all on loopback, every client known by configuration alone. */
export async function layOutLoopback(owner: AsyncDisposableStack): Promise<Lab> {
  const start = async () => clientOf(await startProgram({ command: CLIENT }, owner), []);
  const [first, second] = [await start(), await start()];
  const web = placeOf("web-static", first, ["127.0.1.10", "127.0.1.11"]);
  const greedy = placeOf("web-greedy", second, ["127.0.1.12"]);
  const unbound = placeOf("other", second, ["127.0.1.13", "127.0.1.14"]);
  const host = { serverHost: "127.0.0.1", askedHost: "127.0.0.1", noRulesBecause: "on loopback there is nothing to redirect" };
  return { ...host, web, greedy, unbound, containers: [], statics: [web, greedy, unbound], freshness: [] };
}

interface Client {
  readonly pid: number;
  readonly load: (load: Load) => Promise<Outcome>;
  readonly enter: readonly string[];
}

function placeOf(name: string, { pid, load, enter }: Client, addresses: readonly string[]): Place {
  return { name, pid, addresses, load: (asked) => load({ ...asked, from: addresses }), enter };
}

/** A client in a network namespace of its own, with an interface on the bridge of each of `subnets`, as Docker joins a container. */
async function startContainer(name: string, subnets: readonly string[], owner: AsyncDisposableStack): Promise<Place> {
  const program = await startProgram({ command: ["unshare", "--net", ...CLIENT] }, owner);
  const enter = enteringNetwork(program.pid);
  const ports = subnets.map((subnet, index) => {
    const number = Number(subnet.split(".")[2]);
    const names = { bridge: `bench-br${number}`, name: `bench-veth${number}`, inner: `eth${index}` };
    return { ...names, innerIndex: FIRST_INDEX + number, pid: program.pid, address: `${subnet}.10` };
  });
  runIp(subnets.flatMap((subnet, index) => bridgeLines(ports[index]?.bridge ?? "", subnet)));
  runIp(ports.flatMap(portLines));
  runIp([...ports.flatMap(innerLines), ...routeLines(subnets[0] ?? "")], enter);
  return placeOf(
    name,
    clientOf(program, enter),
    ports.map(({ address }) => address),
  );
}

const FIRST_INDEX = 1_000;

/**
 * A client in a network namespace of its own with an address in each of `subnets`, joined to this one by a pair of interfaces without a
 * bridge; with what the check costs where there is one address, where there are two, and where there are all.
 */
async function startNeighbour(
  name: string,
  subnets: readonly string[],
  owner: AsyncDisposableStack,
): Promise<readonly [Place, readonly FreshnessCost[]]> {
  const program = await startProgram({ command: ["unshare", "--net", ...CLIENT] }, owner);
  const enter = enteringNetwork(program.pid);
  runIp([`link add bench-far type veth peer name eth0 netns ${program.pid}`, "link set bench-far up"]);
  runIp(["link set lo up", "link set eth0 up"], enter);
  const costs = [...subnets, ...IDLE].map((subnet) => {
    runIp([`addr add ${subnet}.1/24 dev bench-far`]);
    runIp([`addr add ${subnet}.10/24 dev eth0`], enter);
    return measureFreshness(program.pid, `${subnets[0]}.10`);
  });
  runIp([`route add default via ${subnets[0]}.1`], enter);
  const addresses = subnets.map((subnet) => `${subnet}.10`);
  return [placeOf(name, clientOf(program, enter), addresses), [...costs.slice(0, 2), ...costs.slice(-1)]];
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
