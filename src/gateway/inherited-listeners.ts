import { once } from "node:events";
import type { Server } from "node:net";
import { type Endpoint, endpointText } from "../address.ts";
import { ImdsgateError } from "../errors.ts";

/** What a socket that already listens is served with. */
export interface InheritedListeners {
  /** Descriptors of sockets that a service manager holds: connections wait in them while no gateway runs. */
  readonly descriptors: readonly number[];
  /** Where the configuration wants to listen; port 0 is any. */
  readonly endpoints: readonly Endpoint[];
  readonly backlog: number;
  readonly createServer: () => Server;
}

/** Serves the sockets and gives where they listen. Throws LISTEN_FAILED when that is not exactly where the configuration wants it. */
export async function serveInherited({ descriptors, endpoints, backlog, createServer }: InheritedListeners): Promise<readonly Endpoint[]> {
  const listening: Endpoint[] = [];
  for (const fd of descriptors) listening.push(await serveDescriptor(fd, createServer(), backlog));
  const isWanted = endpoints.length === listening.length && endpoints.every((wanted) => listening.some((there) => isAt(wanted, there)));
  const ports = new Set(listening.map(({ port }) => port));
  if (isWanted && ports.size === 1) return listening;
  throw new ImdsgateError(
    "LISTEN_FAILED",
    `the sockets of the socket unit are ${texts(listening)}, the configuration says --listen ${texts(endpoints)}: let ListenStream= of the unit and --listen name the same, all with one port`,
  );
}

async function serveDescriptor(fd: number, server: Server, backlog: number): Promise<Endpoint> {
  server.listen({ fd, backlog });
  try {
    await once(server, "listening");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImdsgateError("LISTEN_FAILED", `descriptor ${fd}, by LISTEN_FDS a socket that listens, cannot be served: ${why}`, { cause });
  }
  server.on("error", () => {});
  const address = server.address();
  if (address !== null && typeof address === "object") return { host: address.address, port: address.port };
  throw new ImdsgateError("LISTEN_FAILED", `descriptor ${fd}, by LISTEN_FDS a socket that listens, is no TCP socket`);
}

function isAt(wanted: Endpoint, there: Endpoint): boolean {
  return wanted.host === there.host && (wanted.port === 0 || wanted.port === there.port);
}

function texts(endpoints: readonly Endpoint[]): string {
  return endpoints.map(endpointText).join(" ");
}
