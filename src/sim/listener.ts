import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { type Endpoint, endpointText } from "../address.ts";
import { ImdsgateError } from "../errors.ts";

/** A listening server, with the port it really has, that can be ended together with all its connections. */
export interface Listener {
  readonly endpoint: Endpoint;
  /** Ends every connection and stops listening. Harmless when called again. */
  close(): Promise<void>;
}

/** Makes `server` listen (port 0 picks a free one). Rejects with LISTEN_FAILED. */
export async function listenOn(server: Server, wanted: Endpoint): Promise<Listener> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  try {
    server.listen({ host: wanted.host, port: wanted.port, ipv6Only: wanted.host === "::" });
    await once(server, "listening");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ImdsgateError(
      "LISTEN_FAILED",
      `the embedded service cannot listen on ${endpointText(wanted)}: ${reason}; choose another --listen`,
      {
        cause,
      },
    );
  }
  const address = server.address();
  return {
    endpoint: { host: wanted.host, port: address !== null && typeof address === "object" ? address.port : wanted.port },
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
