import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";

/** A container that the stub tells of. */
interface StubContainer {
  readonly name: string;
  /** Its init process: a real one, in a network namespace that owns the addresses. */
  readonly pid: number;
  /** One address for each of its networks, the network being that address's /24. */
  readonly addresses: readonly string[];
}

/** A running stub. */
export interface DockerStub {
  /** Tells of a container that has just started. Gives what ends it. */
  start(container: StubContainer): () => void;
}

/** A Docker socket at `socketPath` with `containers` running, so that attestation runs on real processes without a Docker daemon. */
export async function startDockerStub(
  socketPath: string,
  containers: readonly StubContainer[],
  owner: AsyncDisposableStack,
): Promise<DockerStub> {
  const running = new Map(containers.map((container, index) => [`${index + 1}`.repeat(64), container]));
  const streams = new Set<ServerResponse>();
  let answers = answersFor(running);
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    if (path !== "/events") return answerJson(response, answers.get(path));
    response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
    streams.add(response);
    response.on("close", () => void streams.delete(response));
  });
  const tell = (action: "start" | "die", id: string) => {
    answers = answersFor(running);
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
      running.set(id, container);
      tell("start", id);
      return () => {
        running.delete(id);
        tell("die", id);
      };
    },
  };
}

function answersFor(running: ReadonlyMap<string, StubContainer>): ReadonlyMap<string, unknown> {
  const parts = [...running].map(([id, container]) => containerAnswers(container, id));
  const lists = [
    ["/containers/json", parts.map(({ id }) => ({ Id: id }))],
    ["/networks", parts.flatMap(({ networks }) => networks)],
  ] as const;
  return new Map<string, unknown>([...lists, ...parts.flatMap(({ answers }) => answers)]);
}

function containerAnswers({ name, pid, addresses }: StubContainer, id: string) {
  const endpoints = addresses.map((address) => {
    const [, , third = "", fourth = ""] = address.split(".");
    const networkId = `${third.padStart(4, "0")}${fourth.padStart(4, "0")}`.padStart(64, "a");
    const subnet = address.replace(/\.\d+$/, ".0/24");
    return { address, network: { Id: networkId, Name: `bench-${third}`, Driver: "bridge", IPAM: { Config: [{ Subnet: subnet }] } } };
  });
  const inspected = {
    Id: id,
    Name: `/${name}`,
    Image: `sha256:${"c".repeat(64)}`,
    Config: { Image: "bench", Labels: {} },
    State: { Running: true, Pid: pid, StartedAt: "2026-11-24T02:00:00Z" },
    HostConfig: { NetworkMode: endpoints[0]?.network.Name },
    NetworkSettings: {
      Networks: Object.fromEntries(
        endpoints.map(({ address, network }) => [network.Name, { NetworkID: network.Id, IPAddress: address, GlobalIPv6Address: "" }]),
      ),
    },
  };
  const answers = endpoints.map(({ address, network }): readonly [string, unknown] => [
    `/networks/${network.Id}`,
    { ...network, Containers: { [id]: { IPv4Address: `${address}/24`, IPv6Address: "" } } },
  ]);
  return { id, networks: endpoints.map(({ network }) => network), answers: [[`/containers/${id}/json`, inspected] as const, ...answers] };
}

function answerJson(response: ServerResponse, answer: unknown): void {
  response.writeHead(answer === undefined ? 404 : 200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(answer ?? { message: "no such thing" }));
}
