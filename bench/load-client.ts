/**
 * A closed-loop client: so many connections at once, a new one for each request, read until the server closes. It takes one load a
 * line on stdin and says what came of it in one line on stdout. It ends with its stdin.
 */
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";

export interface Load {
  readonly host: string;
  readonly port: number;
  /** Source addresses, taken in turn. */
  readonly from: readonly string[];
  /** Latin-1. */
  readonly request: string;
  readonly connections: number;
  /** Requests in all. */
  readonly count: number;
  /** What each answer has to be. */
  readonly status: number;
  /** Between an answer and the next question of that connection's place; none if left out. */
  readonly pauseMs?: number;
}

export interface Outcome {
  readonly wallMs: number;
  /** From the wish to connect to the last byte. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not whole, or of another status. */
  readonly failures: number;
  readonly firstFailure: string;
}

const PATIENCE_MS = 5_000;

function run(load: Load): Promise<Outcome> {
  const latencies: number[] = [];
  let begun = 0;
  let failures = 0;
  let firstFailure = "";
  const startedAt = performance.now();

  return new Promise((resolve) => {
    function askNext(slot: number): void {
      if (begun === load.count) return;
      begun += 1;
      const askedAt = performance.now();
      const from = load.from[slot % load.from.length];
      const socket = connect({ host: load.host, port: load.port, noDelay: true, ...(from === undefined ? {} : { localAddress: from }) });
      readAnswer(socket, load, (fault) => {
        latencies.push(performance.now() - askedAt);
        if (fault !== undefined) {
          failures += 1;
          firstFailure ||= fault;
        }
        if (latencies.length === load.count) resolve({ ...summary(latencies, performance.now() - startedAt), failures, firstFailure });
        else askAgain(slot);
      });
    }
    function askAgain(slot: number): void {
      if (load.pauseMs === undefined) askNext(slot);
      else setTimeout(askNext, load.pauseMs, slot);
    }

    for (let slot = 0; slot < load.connections; slot += 1) askNext(slot);
  });
}

/** Calls back once, when the answer has ended, with what was wrong with it. */
function readAnswer(socket: Socket, { request, status }: Load, done: (fault: string | undefined) => void): void {
  const pieces: Buffer[] = [];
  let failure = "";
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`nothing for ${PATIENCE_MS} ms`)));
  socket.on("connect", () => socket.write(request, "latin1"));
  socket.on("data", (bytes: Buffer) => pieces.push(bytes));
  socket.on("error", (error) => {
    failure = error.message;
  });
  socket.on("close", () => done(failure || faultOf(Buffer.concat(pieces), status)));
}

function faultOf(answer: Buffer, status: number): string | undefined {
  const headEnd = answer.indexOf("\r\n\r\n") + 4;
  const head = answer.toString("latin1", 0, headEnd);
  const [, length] = /\r\ncontent-length: *(\d+)\r\n/i.exec(head) ?? [];
  const isWhole = head.startsWith(`HTTP/1.1 ${status} `) && answer.length - headEnd === Number(length);
  return isWhole ? undefined : answer.toString("latin1", 0, 200) || "closed without an answer";
}

function summary(latencies: number[], wallMs: number): Pick<Outcome, "wallMs" | "p50Ms" | "p99Ms"> {
  const sorted = latencies.sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { wallMs, p50Ms: at(0.5), p99Ms: at(0.99) };
}

process.stdout.write(`${JSON.stringify({ event: "ready", listen: "none:0" })}\n`);
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const load: Load = JSON.parse(line);
    void run(load).then((outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`));
  })
  .on("close", () => process.exit(0));
