import { setMaxListeners } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { sleep, systemClock } from "../../../src/clock.ts";

/** How the proxy behaves: `open` passes all on, `hung` takes connections and says nothing, `slow` is 3 s late with each inspection of a container. */
type ProxyMode = "open" | "hung" | "slow";

/** A door to Docker that the churn can jam; the gateway has no other one. */
export interface DockerProxy {
  setMode(mode: ProxyMode): void;
  /** Ends every stream of events. */
  cutEvents(): void;
  /** Events are this late from now on, in milliseconds. */
  delayEvents(ms: number): void;
  close(): Promise<void>;
}

const SLOW_MS = 3_000;

/** Listens on `listenPath` and passes on to the Docker socket `dockerPath`, one request a connection. */
export async function startDockerProxy(listenPath: string, dockerPath: string): Promise<DockerProxy> {
  const ways = new Set<Way>();
  let mode: ProxyMode = "open";
  let eventDelayMs = 0;
  let wake = Promise.withResolvers<void>();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const delay = (ms: number) => sleep(systemClock, Math.max(0, ms), closing.signal);

  const server = createServer((client) => {
    const way = openWay(client, dockerPath);
    ways.add(way);
    client.on("close", () => ways.delete(way));
    client.once("data", async (request) => {
      way.isEvents = /^GET \S*\/events\?/.test(request.toString("latin1"));
      if (mode === "slow" && /^GET \S*\/containers\/[0-9a-f]{64}\/json/.test(request.toString("latin1"))) await delay(SLOW_MS);
      way.docker.write(request);
    });
    let relayed = Promise.resolve();
    const relay = (act: () => void) => {
      const dueAt = performance.now() + (way.isEvents ? eventDelayMs : 0);
      relayed = relayed.then(async () => {
        await delay(dueAt - performance.now());
        while (mode === "hung") await wake.promise;
        if (!client.destroyed) act();
      });
    };
    way.docker.on("data", (data) => relay(() => client.write(data)));
    way.docker.on("end", () => relay(() => client.end()));
  });
  await listening(server, listenPath);
  return {
    setMode(next) {
      mode = next;
      wake.resolve();
      wake = Promise.withResolvers();
    },
    cutEvents() {
      for (const way of ways) if (way.isEvents) way.client.destroy();
    },
    delayEvents(ms) {
      eventDelayMs = ms;
    },
    async close() {
      closing.abort();
      for (const { client } of ways) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Way {
  readonly client: Socket;
  readonly docker: Socket;
  isEvents: boolean;
}

function openWay(client: Socket, dockerPath: string): Way {
  const docker = connect({ path: dockerPath, allowHalfOpen: true });
  client.on("close", () => docker.destroy()).on("error", () => docker.destroy());
  docker.on("error", () => client.destroy());
  return { client, docker, isEvents: false };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => server.once("error", reject).listen(path, resolve));
}
