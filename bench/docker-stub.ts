import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { macOf } from "./bridge.ts";
import { placeInCgroup } from "./container-cgroup.ts";

/** A container that the stub tells of. */
export interface StubContainer {
  readonly name: string;
  /** Its init process: a real one, in a network namespace that owns the addresses. */
  readonly pid: number;
  /** One address for each of its networks, the network being that address's /24. Its MAC addresses are those that Docker would choose. */
  readonly addresses: readonly string[];
}

/** A running stub. */
export interface DockerStub {
  /** Tells of a container that has just started. Gives what ends it. */
  start(container: StubContainer): () => void;
}

/** The id of the container that was given as the `index`th. */
export function stubId(index: number): string {
  return index.toString(16).padStart(8, "0").padEnd(64, "d");
}

/** A Docker socket at `socketPath` with `containers` running, so that attestation runs on real processes without a Docker daemon. */
export async function startDockerStub(
  socketPath: string,
  containers: readonly StubContainer[],
  owner: AsyncDisposableStack,
): Promise<DockerStub> {
  const running = new Map(containers.map((container, index) => [stubId(index), container]));
  for (const [id, { pid }] of running) placeInCgroup(id, pid, owner);
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    if (path !== "/events") return answerJson(response, answerTo(path, running));
    response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
    streams.add(response);
    response.on("close", () => void streams.delete(response));
  });
  const tell = (action: "start" | "die", id: string) => {
    for (const stream of streams) stream.write(`${JSON.stringify({ Type: "container", Action: action, Actor: { ID: id } })}\n`);
  };
  let started = 0;
  server.listen(socketPath);
  await once(server, "listening");
  owner.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    start(container) {
      started += 1;
      const id = `${started}`.padStart(12, "0").padEnd(64, "e");
      placeInCgroup(id, container.pid, owner);
      running.set(id, container);
      tell("start", id);
      return () => {
        running.delete(id);
        tell("die", id);
      };
    },
  };
}

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: "bridge";
  readonly IPAM: { readonly Config: readonly { readonly Subnet: string }[] };
}

/** Each answer is made when it is asked for, as a daemon's is. Undefined: there is no such thing. */
function answerTo(path: string, running: ReadonlyMap<string, StubContainer>): unknown {
  if (path === "/containers/json") return [...running.keys()].map((Id) => ({ Id }));
  const [, kind, id = ""] = /^\/(containers|networks)(?:\/([0-9a-f]{64})(?:\/json)?)?$/.exec(path) ?? [];
  if (kind === "containers") return inspected(id, running.get(id));
  if (kind !== "networks") return undefined;
  const networks = networksOf(running);
  if (id === "") return [...networks.values()];
  const network = networks.get(id);
  return network && { ...network, Containers: Object.fromEntries(endpointsOn(network, running)) };
}

function inspected(id: string, container: StubContainer | undefined) {
  if (container === undefined) return undefined;
  const { name, pid, addresses } = container;
  const endpoints = addresses.map((address) => ({ address, network: networkOf(address) }));
  return {
    Id: id,
    Name: `/${name}`,
    Image: `sha256:${"c".repeat(64)}`,
    Config: { Image: "bench", Labels: {} },
    State: { Running: true, Pid: pid, StartedAt: "2026-11-24T02:00:00Z" },
    HostConfig: { NetworkMode: endpoints[0]?.network.Name },
    NetworkSettings: {
      Networks: Object.fromEntries(
        endpoints.map(({ address, network }) => [
          network.Name,
          { NetworkID: network.Id, IPAddress: address, GlobalIPv6Address: "", MacAddress: macOf(address) },
        ]),
      ),
    },
  };
}

function networksOf(running: ReadonlyMap<string, StubContainer>): ReadonlyMap<string, Network> {
  const networks = new Map<string, Network>();
  for (const { addresses } of running.values()) {
    for (const network of addresses.map(networkOf)) networks.set(network.Id, network);
  }
  return networks;
}

function networkOf(address: string): Network {
  const subnet = address.replace(/\.\d+$/, ".0/24");
  const name = subnet.split(".").slice(1, 3);
  const Id = name.map((number) => number.padStart(4, "0")).join("");
  return { Id: Id.padStart(64, "a"), Name: `bench-${name.join("-")}`, Driver: "bridge", IPAM: { Config: [{ Subnet: subnet }] } };
}

function endpointsOn({ Id }: Network, running: ReadonlyMap<string, StubContainer>) {
  return [...running].flatMap(([id, { addresses }]) =>
    addresses
      .filter((address) => networkOf(address).Id === Id)
      .map((address) => [id, { IPv4Address: `${address}/24`, IPv6Address: "", MacAddress: macOf(address) }] as const),
  );
}

function answerJson(response: ServerResponse, answer: unknown): void {
  response.writeHead(answer === undefined ? 404 : 200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(answer ?? { message: "no such thing" }));
}
