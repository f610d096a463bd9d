import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Endpoint } from "../../src/address.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startRawUpstream } from "../support/raw-upstream.ts";
import { openRequest, until } from "./open-request.ts";

const MIB = 1_048_576;
const WARM_UP_BYTES = 4 * MIB;
const BODY_BYTES = 128 * MIB;
const BLOCK = Buffer.from(Array.from({ length: 65_536 }, (_, k) => (k * 31 + (k >> 8)) % 256));
const HEAD_BYTES = headOf(BODY_BYTES).length;
const GET = "GET /latest/user-data HTTP/1.1\r\nHost: a\r\n\r\n";

test("a body of 128 MiB streams through to a client that does not hurry, and the process grows by less than half of that (H3)", async () => {
  let sent = 0;
  const pour = (socket: Socket, bytes: number): void => {
    while (sent < bytes && !socket.destroyed) {
      sent += BLOCK.length;
      if (!socket.write(BLOCK)) return;
    }
    socket.end();
  };
  const upstream = await startRawUpstream(() => (socket) => {
    const bytes = upstream.received.length === 1 ? WARM_UP_BYTES : BODY_BYTES;
    sent = 0;
    socket.write(headOf(bytes));
    socket.on("drain", () => pour(socket, bytes));
    pour(socket, bytes);
  });
  const command = spawnRun(upstream.endpoint);
  const gateway = await readyEndpoint(command);
  expect((await rawRequest(gateway, GET)).bytes.length).toBe(headOf(WARM_UP_BYTES).length + WARM_UP_BYTES);
  const rssBefore = rssOf(command);
  sent = 0;

  const request = openRequest(gateway, GET, { isPaused: true });
  await standstill(() => sent);
  expect(sent).toBeLessThan(BODY_BYTES);
  const grown = [rssOf(command) - rssBefore];
  const digest = createHash("sha256");
  let received = 0;
  request.socket.removeAllListeners("data").on("data", (piece: Buffer) => {
    digest.update(received < HEAD_BYTES ? piece.subarray(HEAD_BYTES - received) : piece);
    received += piece.length;
    if (received % MIB < piece.length) grown.push(rssOf(command) - rssBefore);
  });
  request.socket.resume();

  expect(await request.ending).toBe("end");
  expect(received).toBe(HEAD_BYTES + BODY_BYTES);
  expect(digest.digest("hex")).toBe(digestOfBody());
  expect(grown.length).toBeGreaterThan(100);
  expect(Math.max(...grown) / MIB).toBeLessThan(64);
});

function headOf(bodyBytes: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bodyBytes}\r\nConnection: close\r\n\r\n`;
}

function digestOfBody(): string {
  const digest = createHash("sha256");
  for (let at = 0; at < BODY_BYTES; at += BLOCK.length) digest.update(BLOCK);
  return digest.digest("hex");
}

/** Starts `imdsgate run` in a process of its own; the test's end is its end. */
function spawnRun({ port }: Endpoint): ChildProcess {
  const flags = {
    listen: "127.0.0.1:0",
    upstream: `http://127.0.0.1:${port}`,
    account: "111122223333",
    region: "eu-central-1",
    rules: "none",
    runtime: "none",
    "log-format": "json",
  };
  const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const environment = { AWS_ACCESS_KEY_ID: "AKIAFIXTUREBASE00000", AWS_SECRET_ACCESS_KEY: "base", AWS_EC2_METADATA_DISABLED: "true" };
  const command = spawn(process.execPath, ["src/cli.ts", "run", ...words], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(async () => {
    const isOver = command.exitCode !== null || command.signalCode !== null ? undefined : once(command, "exit");
    command.kill("SIGKILL");
    await isOver;
  });
  return command;
}

async function readyEndpoint({ stdout }: ChildProcess): Promise<Endpoint> {
  if (stdout) {
    for await (const line of createInterface({ input: stdout })) {
      const [, port] = /^\{"event":"ready","listen":\["127\.0\.0\.1:(\d+)"\]/.exec(line) ?? [];
      stdout.resume();
      return { host: "127.0.0.1", port: Number(port) };
    }
  }
  throw new Error("imdsgate run ended before it was ready");
}

/** Resident bytes of a process. */
function rssOf({ pid }: ChildProcess): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Resolves when `amount` is not 0 any more and has not grown for 200 ms. */
async function standstill(amount: () => number): Promise<void> {
  await until(() => amount() > 0);
  let before = -1;
  let since = 0;
  await vi.waitUntil(
    () => {
      since = before === amount() ? since + 1 : 0;
      before = amount();
      return since === 20;
    },
    { interval: 10, timeout: 20_000 },
  );
}
