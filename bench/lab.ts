import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FreshnessCost } from "./freshness-cost.ts";
import { measureFreshness } from "./freshness-cost.ts";
import type { Load, Outcome } from "./load-client.ts";
import { PATH } from "./own-network.ts";
import { type Program, startProgram } from "./program.ts";

/** Where the servers listen, and a client that speaks to them from other addresses. */
export interface Lab {
  readonly serverHost: string;
  /** The client's process: in a network namespace of its own, it is the container. */
  readonly clientPid: number;
  /** Addresses of the client as a container's; empty where there is no namespace for it. */
  readonly containerAddresses: readonly string[];
  /** Addresses of the client that only the configuration names. */
  readonly staticAddresses: readonly string[];
  readonly freshness: readonly FreshnessCost[];
  readonly load: (load: Load) => Promise<Outcome>;
}

/** The block that RFC 2544 gives to benchmarks; each pair of addresses is a /24 of host and client. Two, as no workload may hold over 64 connections. */
const CONTAINER = ["198.18.0", "198.18.1"];
const STATIC = ["198.19.0", "198.19.1"];

const CLIENT = [process.execPath, fileURLToPath(new URL("load-client.ts", import.meta.url))];

/** Inside an own network: the client in a network namespace beside it, joined by one pair of interfaces. */
export async function layOutNamespaces(owner: AsyncDisposableStack): Promise<Lab> {
  const client = await startProgram({ command: ["unshare", "--net", ...CLIENT] }, owner);
  const { pid } = client;
  const inside = ["nsenter", "--target", `${pid}`, "--net", "ip"];
  command(["ip", "link", "set", "lo", "up"]);
  command(["ip", "link", "add", "bench0", "type", "veth", "peer", "name", "eth0", "netns", `${pid}`]);
  command(["ip", "link", "set", "bench0", "up"]);
  command([...inside, "link", "set", "lo", "up"]);
  command([...inside, "link", "set", "eth0", "up"]);
  const freshness: FreshnessCost[] = [];
  for (const subnet of [...CONTAINER, ...STATIC]) {
    command(["ip", "addr", "add", `${subnet}.1/24`, "dev", "bench0"]);
    command([...inside, "addr", "add", `${subnet}.10/24`, "dev", "eth0"]);
    if (subnet === CONTAINER[0] || subnet === STATIC[1]) freshness.push(measureFreshness(pid, `${CONTAINER[0]}.10`));
  }
  const addresses = (subnets: readonly string[]) => subnets.map((subnet) => `${subnet}.10`);
  return {
    serverHost: `${CONTAINER[0]}.1`,
    clientPid: pid,
    containerAddresses: addresses(CONTAINER),
    staticAddresses: addresses(STATIC),
    freshness,
    load: loaderOf(client),
  };
}

/** Where there are no namespaces: all on loopback, the client's addresses known by configuration alone. */
export async function layOutLoopback(owner: AsyncDisposableStack): Promise<Lab> {
  const client = await startProgram({ command: CLIENT }, owner);
  return {
    serverHost: "127.0.0.1",
    clientPid: client.pid,
    containerAddresses: [],
    staticAddresses: ["127.0.1.10", "127.0.1.11"],
    freshness: [],
    load: loaderOf(client),
  };
}

/** One load after the other: the next line of the client answers the last one asked. */
function loaderOf({ stdin, lines }: Program): Lab["load"] {
  let settle: PromiseWithResolvers<Outcome> | undefined;
  lines.on("line", (line) => settle?.resolve(JSON.parse(line)));
  lines.on("close", () => settle?.reject(new Error("the load client ended")));
  return (load) => {
    settle = Promise.withResolvers<Outcome>();
    stdin.write(`${JSON.stringify(load)}\n`);
    return settle.promise;
  };
}

function command([file = "", ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(file, args, { env: { ...process.env, PATH }, encoding: "utf8", timeout: 10_000 });
  if (status !== 0) throw new Error(`${[file, ...args].join(" ")}: ${stderr}`);
}
