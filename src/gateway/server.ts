import { once } from "node:events";
import net, { type Server, type Socket } from "node:net";
import { canonicalAddress, type Endpoint, endpointText } from "../address.ts";
import { sleep, within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import type { Source } from "../identity/source.ts";
import { type ConnectionContext, serveConnection } from "./connection.ts";
import { serveInherited } from "./inherited-listeners.ts";
import type { Limits } from "./limits.ts";
import { createRefusedConnections } from "./refused-connections.ts";
import { createTurns } from "./turns.ts";

const BACKLOG = 1_024;
const DRAIN_MS = 5_000;
/** Who has just connected is about to ask, and is answered still. */
const FIRST_BYTES_MS = 50;

/** The listening side of the gateway. */
export interface Gateway {
  /**
   * Listens on every endpoint and gives the real ones. Port 0 takes a free port for the first endpoint and that same
   * port for the rest. Throws LISTEN_FAILED. `descriptors`: sockets that listen there already and are served in place of new ones.
   */
  listen(endpoints: readonly Endpoint[], descriptors?: readonly number[]): Promise<readonly Endpoint[]>;
  /** Accepts no more, lets answers in flight end (at most 5 s), then closes what is left. */
  stop(): Promise<void>;
}

/** Builds the gateway; nothing listens until `listen`. */
export function createGateway(context: ConnectionContext, limits: Limits): Gateway {
  const servers: Server[] = [];
  const open = new Set<Socket>();
  const turns = createTurns(setImmediate);
  const refused = createRefusedConnections(context.clock, context.emit);

  function accept(socket: Socket): void {
    turns.noteAccepted();
    socket.on("error", () => {});
    const source = sourceOf(socket, context.clock.now());
    if (source === undefined) {
      socket.destroy();
      return;
    }
    const { address } = source;
    const admission = limits.admit(address);
    if (admission.kind === "over") {
      socket.destroy();
      refused.note(address, admission);
      return;
    }
    socket.once("close", () => {
      admission.release();
      open.delete(socket);
    });
    open.add(socket);
    void serveConnection(socket, { source, turn: () => turns.turnOf(admission.budget, () => socket.destroyed) }, context);
  }

  function createServer(): Server {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, accept);
    servers.push(server);
    return server;
  }

  return {
    async listen(endpoints, descriptors = []) {
      if (descriptors.length > 0) return serveInherited({ descriptors, endpoints, backlog: BACKLOG, createServer });
      const listening: Endpoint[] = [];
      for (const { host, port } of endpoints) {
        listening.push(await listenOn(createServer(), { host, port: port === 0 ? (listening[0]?.port ?? 0) : port }));
      }
      return listening;
    },
    async stop() {
      for (const server of servers) server.close();
      if ([...open].some(isSilent)) await sleep(context.clock, FIRST_BYTES_MS);
      for (const socket of open) if (isSilent(socket)) socket.destroy();
      await within(context.clock, DRAIN_MS, Promise.all([...open].map(closed)), undefined);
      for (const socket of open) cutShort(socket);
      refused.end();
    },
  };
}

/** Undefined when the client is gone already. */
function sourceOf({ remoteAddress = "", remotePort, localAddress = "", localPort }: Socket, acceptedAt: number): Source | undefined {
  const [address, host] = [canonicalAddress(remoteAddress), canonicalAddress(localAddress)];
  if (address === undefined || remotePort === undefined || host === undefined || localPort === undefined) return undefined;
  return { address, port: remotePort, local: { host, port: localPort }, acceptedAt };
}

function isSilent({ bytesRead }: Socket): boolean {
  return bytesRead === 0;
}

/** An answer that is not out yet ends in a reset, so that nobody takes it for whole. */
function cutShort(socket: Socket): void {
  if (socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

async function listenOn(server: Server, endpoint: Endpoint): Promise<Endpoint> {
  server.listen({ host: endpoint.host, port: endpoint.port, ipv6Only: true, backlog: BACKLOG });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw listenFailed(endpoint, cause);
  }
  // Out of descriptors: the kernel keeps the connection in the backlog, and Node accepts it when there is one.
  server.on("error", () => {});
  const address = server.address();
  return { host: endpoint.host, port: address !== null && typeof address === "object" ? address.port : endpoint.port };
}

function listenFailed(endpoint: Endpoint, cause: unknown): ImdsgateError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const next = /EADDRINUSE/.test(why)
    ? "another program has that port: stop it, or choose another with --listen"
    : "choose another address with --listen";
  return new ImdsgateError("LISTEN_FAILED", `cannot listen on ${endpointText(endpoint)}: ${why}; ${next}`, { cause });
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close").catch(() => {});
}
