import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface HttpStub {
  readonly port: number;
  /** Everything that was asked, in order. */
  readonly asked: readonly { readonly line: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** Every connection that came, in order. */
  readonly sockets: ReadonlySet<Socket>;
  /** The first of them. */
  readonly connected: Promise<Socket>;
}

/** A server on loopback that answers each request (`GET /path` and its body) with `answer`, which may leave it open. Ended with the test. */
export async function startHttpStub(answer: (response: ServerResponse, line: string, body: string) => void): Promise<HttpStub> {
  const asked: { line: string; headers: IncomingHttpHeaders; body: string }[] = [];
  const sockets = new Set<Socket>();
  const connected = Promise.withResolvers<Socket>();
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    const body = await text(request);
    asked.push({ line, headers: request.headers, body });
    answer(response, line, body);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    connected.resolve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return { port, asked, sockets, connected: connected.promise };
}
