import { once } from "node:events";
import net, { type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Endpoint } from "../../src/address.ts";

/** A TCP server that stands for the real IMDS: it keeps what it got and says exactly what it is told to say. */
export interface RawUpstream {
  readonly endpoint: Endpoint;
  /** The bytes of each connection, in the order of their first bytes. The gateway's question whether it speaks to itself is left out. */
  readonly received: Buffer[];
  /** Resolves when the n-th connection (from 0) is over on the client's side. */
  closed(n: number): Promise<void>;
}

/** What to do with a request that has come so far; called again with each piece. */
export type Behaviour = (socket: Socket, received: Buffer) => void;

/** Answers once the blank line is there. The connection stays open unless `isClosing`. */
export function answering(bytes: string | Buffer, isClosing = true): Behaviour {
  let hasAnswered = false;
  return (socket, received) => {
    if (hasAnswered || !received.includes("\r\n\r\n")) return;
    hasAnswered = true;
    socket.write(bytes, "latin1");
    if (isClosing) socket.end();
  };
}

/** Starts the server on a free port of 127.0.0.1; `behave` is made anew for each connection. */
export async function startRawUpstream(behave: () => Behaviour): Promise<RawUpstream> {
  const received: Buffer[] = [];
  const closings: PromiseWithResolvers<void>[] = [];
  const closingOf = (n: number) => (closings[n] ??= Promise.withResolvers<void>());
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const behaviour = behave();
    let n: number | undefined;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("User-Agent: imdsgate/")) return void socket.end();
      n ??= received.push(Buffer.alloc(0)) - 1;
      received[n] = Buffer.concat([received[n] ?? Buffer.alloc(0), bytes]);
      behaviour(socket, received[n] ?? bytes);
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => n !== undefined && closingOf(n).resolve());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return { endpoint: { host: "127.0.0.1", port }, received, closed: (n) => closingOf(n).promise };
}
