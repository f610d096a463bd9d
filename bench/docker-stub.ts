import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";

/** The one container that the stub tells of. */
export interface StubContainer {
  readonly name: string;
  /** Its init process: a real one, in a network namespace that owns the addresses. */
  readonly pid: number;
  /** One address for each of its networks, the network being that address's /24. */
  readonly addresses: readonly string[];
}

const ID = "b".repeat(64);

/** A Docker socket at `socketPath` with one running container, so that attestation runs on a real process without a Docker daemon. */
export async function startDockerStub(socketPath: string, container: StubContainer, owner: AsyncDisposableStack): Promise<void> {
  const answers = answersFor(container);
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    // The stream of events stays open and is silent: nothing changes here.
    if (path === "/events") response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
    else answerJson(response, answers.get(path));
  });
  server.listen(socketPath);
  await once(server, "listening");
  owner.defer(() => {
    server.closeAllConnections();
    server.close();
  });
}

function answersFor({ name, pid, addresses }: StubContainer): ReadonlyMap<string, unknown> {
  const networks = addresses.map((address, index) => {
    const subnet = address.replace(/\.\d+$/, ".0/24");
    return { Id: `${index}`.repeat(64), Name: `bench-${index}`, Driver: "bridge", IPAM: { Config: [{ Subnet: subnet }] }, address };
  });
  const container = {
    Id: ID,
    Name: `/${name}`,
    Image: `sha256:${"c".repeat(64)}`,
    Config: { Image: "bench", Labels: {} },
    State: { Running: true, Pid: pid, StartedAt: "2026-11-24T02:00:00Z" },
    HostConfig: { NetworkMode: "bench-0" },
    NetworkSettings: {
      Networks: Object.fromEntries(
        networks.map(({ Name, Id, address }) => [Name, { NetworkID: Id, IPAddress: address, GlobalIPv6Address: "" }]),
      ),
    },
  };
  return new Map<string, unknown>([
    ["/containers/json", [{ Id: ID }]],
    [`/containers/${ID}/json`, container],
    ["/networks", networks],
    ...networks.map(({ address, ...network }): [string, unknown] => [
      `/networks/${network.Id}`,
      { ...network, Containers: { [ID]: { IPv4Address: `${address}/24`, IPv6Address: "" } } },
    ]),
  ]);
}

function answerJson(response: ServerResponse, answer: unknown): void {
  response.writeHead(answer === undefined ? 404 : 200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(answer ?? { message: "no such thing" }));
}
