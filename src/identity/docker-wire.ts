import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import { isIP } from "node:net";
import type { DockerEndpoint, DockerTls } from "./docker-endpoint.ts";

/** More than this (of characters, or bytes of one answer) is no answer that a daemon in its right mind gives. */
const ANSWER_LIMIT = 32 * 1024 * 1024;
/** Between two probes of a connection over TCP that says nothing: a stream of events can be silent for long, and its far end can be gone. */
const KEEP_ALIVE_MS = 30_000;

/** An answer whose head is there. */
export type DockerAnswer = IncomingMessage;

/** Asks for `path` by GET, on a connection of its own, and gives the answer once its head is there. Nothing but GET ever goes to Docker. */
export type OpenAnswer = (path: string, signal: AbortSignal) => Promise<DockerAnswer>;

/** The HTTP client of `endpoint`. It rejects with what Node says. */
export function dockerWire(endpoint: DockerEndpoint): OpenAnswer {
  return (path, signal) =>
    new Promise((resolve, reject) => {
      const request = requestTo(endpoint, { path, method: "GET", agent: false, signal });
      request.on("socket", (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      request.on("response", resolve);
      request.on("error", reject);
      request.end();
    });
}

function requestTo(endpoint: DockerEndpoint, options: RequestOptions) {
  // An import of node:http would load all of undici at start.
  const http = process.getBuiltinModule("node:http");
  if (endpoint.kind === "unix") return http.request({ ...options, socketPath: endpoint.path, headers: { Host: "docker" } });
  const { at, tls } = endpoint;
  if (tls === undefined) return http.request({ ...options, ...at });
  const servername = isIP(at.host) === 0 ? at.host : "";
  return process.getBuiltinModule("node:https").request({ ...options, ...at, ...pemOf(tls), servername });
}

function pemOf({ ca, client }: DockerTls): Pick<RequestOptions, "ca" | "cert" | "key"> {
  const pem = { ca: readPem(ca) };
  return client === undefined ? pem : { ...pem, cert: readPem(client.cert), key: readPem(client.key) };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new PemUnreadable(path, { cause });
  }
}

/** A certificate or key could not be read. */
export class PemUnreadable extends Error {
  readonly path: string;

  constructor(path: string, options: { cause: unknown }) {
    super(`cannot read ${path}`, options);
    this.path = path;
  }
}

/** The whole body. Rejects when it is longer than any answer is, or cut. */
export async function readBody(response: DockerAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_LIMIT) throw new Error(`the answer is longer than ${ANSWER_LIMIT} bytes`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The lines of a stream, however it is cut. A last line without its end is left out: it may be half an event. So is one that is longer
 * than memory should hold: it is one container's, and must not cost the others theirs.
 */
export async function* linesOf(response: DockerAnswer): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest = "";
  let isTooLong = false;
  for await (const chunk of response) {
    const pieces = String(chunk).split("\n");
    const last = pieces.pop() ?? "";
    for (const piece of pieces) {
      if (!isTooLong && rest.length + piece.length <= ANSWER_LIMIT) yield rest + piece;
      rest = "";
      isTooLong = false;
    }
    isTooLong ||= rest.length + last.length > ANSWER_LIMIT;
    rest = isTooLong ? "" : rest + last;
  }
}
