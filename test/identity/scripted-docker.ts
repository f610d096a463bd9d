import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { dockerRuntime } from "../../src/identity/docker.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

export const ID = "c0ffee".padEnd(64, "0");
export const NOW = Date.UTC(2026, 10, 24, 2, 0, 0, 900);
export const never = new AbortController().signal;

/** A path for a unix socket, in a folder that ends with the test. */
export function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "docker-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "docker.sock");
}

type Script = (socket: Socket, target: string) => void;

/**
 * A Docker daemon on a unix socket that answers as it is told, byte for byte, but for `/_ping`: it tells no version there. Gives the runtime
 * on it and the request lines that it saw besides.
 */
export async function scriptedDocker(script: Script) {
  const path = socketPath();
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      const [line = ""] = bytes.toString("latin1").split("\r\n");
      const target = line.split(" ")[1] ?? "";
      if (target === "/_ping") return void socket.end(reply(200, "OK", "text/plain"));
      requests.push(line);
      return script(socket, target);
    });
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { runtime: dockerRuntime({ kind: "unix", path }, handMovedClock(NOW)), path, requests };
}

/** One whole answer with its length. */
export function reply(status: number, body: string, type = "application/json"): string {
  return `HTTP/1.1 ${status} X\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

/** How `promise` failed, as `CODE: message`. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  return error instanceof ImdsgateError ? `${error.code}: ${error.message}` : `no failure: ${JSON.stringify(error)}`;
}
