import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";

/** How another HTTP server read one request. It tells so in a field of its answer. */
export interface Reading {
  /** The request target as that server hands it to a program. */
  readonly target: string;
  /** The path by which that server chooses what to do, where it has such a thing. */
  readonly path: string | undefined;
  readonly bodyBytes: number;
}

/** The field by which an echo server tells its reading: JSON in base64. */
export const READING_FIELD = "X-Reading";

/** What a proxy in front of the echo server tells of its own reading. */
const FRONT_TARGET = "x-front-target";
const FRONT_PATH = "x-front-path";

export interface EchoServer {
  readonly port: number;
  close(): void;
}

/** A `node:http` server on a free loopback port that answers every request with its reading of it, or with that of the proxy before it. */
export async function startEcho(): Promise<EchoServer> {
  const server = http.createServer((request, response) => void echo(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let bodyBytes = 0;
  try {
    for await (const piece of request) if (Buffer.isBuffer(piece)) bodyBytes += piece.length;
  } catch {
    return; // the connection broke off: nobody is there to be answered
  }
  const { [FRONT_TARGET]: target = request.url ?? "", [FRONT_PATH]: path } = request.headers;
  response.writeHead(200, {
    [READING_FIELD]: Buffer.from(JSON.stringify({ target, path, bodyBytes })).toString("base64"),
    "Content-Length": 0,
  });
  response.end();
}
