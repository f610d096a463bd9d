import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import tls from "node:tls";
import { onTestFinished } from "vitest";
import { type Clock, sleep } from "../../src/clock.ts";
import type { CertifiedKey } from "./certificates.ts";

/** What was asked of the server, as far as its answer may depend on it. */
export interface StsQuestion {
  readonly action: string;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** The time in the signature, in milliseconds since the epoch. */
  readonly signedAt: number;
}

/** What the server does with a question. Whatever it is, the connection is used for no other. */
export interface StsTurn {
  /** Sent as they stand; a string is latin-1. */
  readonly bytes: string | Buffer;
  /** `open`: nothing more comes. */
  readonly ending: "end" | "reset" | "open";
  /** How long it takes before the first byte. */
  readonly afterMs?: number;
}

export interface ScriptedStsServer {
  readonly port: number;
  /** Shows `certificate` to who connects from now on. */
  show(certificate: CertifiedKey): void;
}

export interface ScriptedStsOptions {
  readonly clock: Clock;
  readonly answer: (question: StsQuestion) => StsTurn;
  /** Given, it speaks TLS. */
  readonly certificate?: CertifiedKey;
}

/** A TCP or TLS server on loopback that stands for STS and says exactly what `answer` tells it to say. Ended with the test. */
export async function startScriptedSts({ clock, answer, certificate }: ScriptedStsOptions): Promise<ScriptedStsServer> {
  const sockets = new Set<Socket>();
  const ending = new AbortController();
  const serve = (socket: Socket) => {
    sockets.add(socket);
    // Who refuses the certificate, or has waited long enough, leaves without a word.
    socket.on("error", () => {});
    let received = "";
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      const question = questionIn(received);
      if (question) void play(socket, answer(question));
    });
  };
  const play = async (socket: Socket, { bytes, ending: end, afterMs = 0 }: StsTurn) => {
    if (afterMs > 0) await sleep(clock, afterMs, ending.signal);
    if (ending.signal.aborted || socket.destroyed) return;
    await new Promise((sent) => socket.write(bytes, "latin1", sent));
    if (end === "end") socket.end();
    if (end === "reset") socket.resetAndDestroy();
  };
  const secure = certificate && tls.createServer(certificate, serve);
  secure?.on("tlsClientError", () => {});
  const server = secure ?? net.createServer(serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    ending.abort();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return { port, show: (shown) => secure?.setSecureContext(shown) };
}

/** The question in `received`; undefined while it is not whole. */
function questionIn(received: string): StsQuestion | undefined {
  const end = received.indexOf("\r\n\r\n") + 4;
  if (end < 4) return undefined;
  const head = received.slice(0, end);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (received.length < end + length) return undefined;
  const parameters = new URLSearchParams(received.slice(end, end + length));
  const [, year, month, day, hour, minute, second] = /^x-amz-date: *(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/im.exec(head) ?? [];
  return {
    action: parameters.get("Action") ?? "",
    roleArn: parameters.get("RoleArn") ?? "",
    sessionName: parameters.get("RoleSessionName") ?? "",
    durationSeconds: Number(parameters.get("DurationSeconds")),
    signedAt: Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)),
  };
}
