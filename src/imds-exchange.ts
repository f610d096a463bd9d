import { once } from "node:events";
import type { Duplex } from "node:stream";
import { type Endpoint, endpointText } from "./address.ts";
import { type AnswerHead, parseAnswerHead } from "./answer-head.ts";
import { createChunkedScanner } from "./chunked.ts";
import type { Cancel, Clock } from "./clock.ts";
import { ImdsgateError } from "./errors.ts";
import { nextPiece } from "./next-piece.ts";
import type { Connect } from "./world.ts";

/** Waiting for the connection, for the first byte, and between two pieces of a body (docs/contract.md, R7 and R4). */
const CONNECT_MS = 1_000;
const FIRST_BYTE_MS = 5_000;
const IDLE_MS = 10_000;
const MAX_HEAD_BYTES = 65_536;

/** Where the real IMDS is and how it is reached. */
export interface Upstream {
  readonly endpoint: Endpoint;
  readonly connect: Connect;
  readonly clock: Clock;
}

/** One answer of the upstream IMDS whose head has arrived. */
export interface Exchange {
  readonly head: AnswerHead;
  /** The head as received, with its blank line and any interim (1xx) heads before it. */
  readonly headBytes: Buffer;
  /** The body as received, framing included, to its exact end. Rejects with UPSTREAM_UNAVAILABLE when it is cut short. */
  readonly body: AsyncGenerator<Buffer, void, void>;
  /** Closes the connection. Harmless at any time. */
  close(): void;
}

/**
 * Sends `request` (one whole HTTP request to `method` it) on a connection of its own and waits for the answer's head.
 * The connection ends after the body, or when `signal` aborts. Rejects with UPSTREAM_UNAVAILABLE.
 */
export async function openExchange(upstream: Upstream, method: string, request: Buffer, signal?: AbortSignal): Promise<Exchange> {
  const stream = upstream.connect(upstream.endpoint);
  const close = () => stream.destroy(new Error("it is not wanted any more"));
  signal?.addEventListener("abort", close, { once: true });
  stream.once("close", () => signal?.removeEventListener("abort", close));
  stream.on("error", () => {});
  try {
    signal?.throwIfAborted();
    await timed(upstream.clock, stream, CONNECT_MS, "connection", once(stream, "connect"));
    stream.write(request);
    const { head, headBytes, rest } = await timed(upstream.clock, stream, FIRST_BYTE_MS, "answer", readHead(stream, method));
    return { head, headBytes, body: framedBody(head, rest, upstream.clock, stream), close };
  } catch (cause) {
    close();
    throw unavailable(endpointText(upstream.endpoint), cause);
  }
}

interface ReadHead {
  readonly head: AnswerHead;
  readonly headBytes: Buffer;
  readonly rest: Buffer;
}

/** Reads up to the blank line of the final head; interim heads are kept before it. */
async function readHead(stream: Duplex, method: string): Promise<ReadHead> {
  let bytes: Buffer = Buffer.alloc(0);
  let start = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n", start);
    if (end < 0) bytes = Buffer.concat([bytes, await pieceOfHead(stream, bytes.length)]);
    else {
      const head = judgedHead(bytes.toString("latin1", start, end), method);
      if (head.status >= 200) return { head, headBytes: bytes.subarray(0, end + 4), rest: bytes.subarray(end + 4) };
      start = end + 4;
    }
  }
}

/** A switch of protocols is refused like any other answer that is not HTTP/1.1 to its end (docs/contract.md, H6). */
function judgedHead(text: string, method: string): AnswerHead {
  const head = parseAnswerHead(text, method);
  if (!head || head.status === 101) throw new Error("the answer is not HTTP/1.1 as IMDS speaks it");
  return head;
}

async function pieceOfHead(stream: Duplex, readBytes: number): Promise<Buffer> {
  if (readBytes > MAX_HEAD_BYTES) throw new Error("the head of the answer has no end");
  const piece = await nextPiece(stream);
  if (!piece) throw stream.errored ?? new Error("the connection ended before the answer");
  return piece;
}

async function* framedBody(head: AnswerHead, rest: Buffer, clock: Clock, stream: Duplex): AsyncGenerator<Buffer, void, void> {
  const ruler = rulerFor(head);
  try {
    for (let piece: Buffer | undefined = rest; piece; ) {
      const taken = piece.subarray(0, ruler.take(piece));
      if (taken.length > 0) yield taken;
      if (ruler.isComplete()) return;
      piece = ruler.isBroken() ? undefined : await timed(clock, stream, IDLE_MS, "body", nextPiece(stream));
    }
    if (head.framing.kind === "close" && stream.readableEnded) return;
    throw unavailable("the body", stream.errored ?? new Error("it ended too early, or its chunks are malformed"));
  } finally {
    stream.destroy();
  }
}

/** Measures where a body ends. */
interface Ruler {
  /** How many of these bytes belong to the body. */
  take(bytes: Buffer): number;
  isComplete(): boolean;
  isBroken(): boolean;
}

function rulerFor({ framing }: AnswerHead): Ruler {
  if (framing.kind === "chunked") {
    const scanner = createChunkedScanner();
    return {
      take: (bytes) => scanner.push(bytes),
      isComplete: () => scanner.state() === "done",
      isBroken: () => scanner.state() === "bad",
    };
  }
  let left = framing.kind === "length" ? framing.bytes : framing.kind === "none" ? 0 : Number.POSITIVE_INFINITY;
  return {
    take(bytes) {
      const taken = Math.min(left, bytes.length);
      left -= taken;
      return taken;
    },
    isComplete: () => left === 0,
    isBroken: () => false,
  };
}

/** What `work` gives; after `ms` the stream is destroyed, which makes `work` fail. */
async function timed<T>(clock: Clock, stream: Duplex, ms: number, what: string, work: Promise<T>): Promise<T> {
  const cancel: Cancel = clock.after(ms, () => stream.destroy(new Error(`no ${what} within ${ms / 1_000} s`)));
  try {
    return await work;
  } finally {
    cancel();
  }
}

function unavailable(what: string, cause: unknown): ImdsgateError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ImdsgateError("UPSTREAM_UNAVAILABLE", `the upstream IMDS did not answer (${what}): ${why}; check --upstream`, { cause });
}
