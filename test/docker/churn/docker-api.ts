import { request } from "node:http";

/** What Docker answered to a call that it did not do. */
export class DockerRefusal extends Error {
  /** 0: there was no answer. */
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a container is made of. */
export interface NewContainer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly network: string;
  /** Undefined: Docker chooses. */
  readonly ipv4: string | undefined;
  /** `HOST_FOLDER:CONTAINER_FOLDER`. */
  readonly mounts: readonly string[];
}

/** The calls that make churn. Each rejects with a `DockerRefusal`. */
export type DockerApi = ReturnType<typeof dockerApi>;

const LIMIT_MS = 30_000;

/** Docker's Engine API behind `socketPath`. The docker command would cost more than the containers. */
export function dockerApi(socketPath: string) {
  const post = (path: string, body?: unknown) => call(socketPath, "POST", path, body);
  const act = (id: string, verb: string) => post(`/containers/${id}/${verb}`);
  return {
    async create(container: NewContainer): Promise<string> {
      return idIn(await post(`/containers/create?name=${container.name}`, creationOf(container)));
    },
    start: (id: string) => act(id, "start"),
    kill: (id: string) => act(id, "kill?signal=KILL"),
    stop: (id: string) => act(id, "stop?t=2"),
    restart: (id: string) => act(id, "restart?t=1"),
    pause: (id: string) => act(id, "pause"),
    unpause: (id: string) => act(id, "unpause"),
    rename: (id: string, name: string) => act(id, `rename?name=${name}`),
    wait: (id: string) => act(id, "wait"),
    remove: (id: string) => call(socketPath, "DELETE", `/containers/${id}?force=1&v=1`),
    connect: (id: string, network: string) => post(`/networks/${network}/connect`, { Container: id }),
    disconnect: (id: string, network: string) => post(`/networks/${network}/disconnect`, { Container: id }),
    async exec(id: string, command: readonly string[]): Promise<void> {
      const execution = idIn(await post(`/containers/${id}/exec`, { Cmd: command, AttachStdout: true }));
      await post(`/exec/${execution}/start`, { Detach: false });
    },
    async createNetwork(name: string, subnets: readonly string[]): Promise<void> {
      const blocks = subnets.map((subnet) => ({ Subnet: subnet }));
      await post("/networks/create", { Name: name, EnableIPv6: subnets.length > 1, IPAM: { Config: blocks } });
    },
    async ipv4Of(id: string, network: string): Promise<string | undefined> {
      const { NetworkSettings }: { NetworkSettings: { Networks: Readonly<Record<string, { IPAddress: string }>> } } = JSON.parse(
        await call(socketPath, "GET", `/containers/${id}/json`),
      );
      return NetworkSettings.Networks[network]?.IPAddress || undefined;
    },
    ping: () => call(socketPath, "GET", "/_ping"),
  };
}

function creationOf(container: NewContainer) {
  const endpoint = container.ipv4 === undefined ? {} : { IPAMConfig: { IPv4Address: container.ipv4 } };
  return {
    Image: "imdsgate-test",
    Cmd: container.command,
    Env: Object.entries(container.environment).map(([name, value]) => `${name}=${value}`),
    Labels: container.labels,
    HostConfig: { NetworkMode: container.network, Binds: container.mounts, LogConfig: { Type: "none" } },
    NetworkingConfig: { EndpointsConfig: { [container.network]: endpoint } },
  };
}

function idIn(answer: string): string {
  return /"Id":"([0-9a-f]{64})"/.exec(answer)?.[1] ?? "";
}

function call(socketPath: string, method: string, path: string, body?: unknown): Promise<string> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = { Host: "docker", "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new DockerRefusal(0, `${method} ${path}: ${error.message}`));
    const sent = request({ socketPath, path, method, headers, agent: false, signal: AbortSignal.timeout(LIMIT_MS) }, (response) => {
      const status = response.statusCode ?? 0;
      let answer = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        answer += chunk;
      });
      response.on("error", fail);
      // 304: it is so already
      response.on("end", () =>
        status < 400 ? resolve(answer) : reject(new DockerRefusal(status, `${method} ${path}: ${status} ${answer}`)),
      );
    });
    sent.on("error", fail).end(text);
  });
}
