import type { AnswerHead, Field } from "./answer-head.ts";
import { createChunkedScanner } from "./chunked.ts";
import { ImdsgateError } from "./errors.ts";
import { openExchange, type Upstream } from "./imds-exchange.ts";

/** One question of imdsgate itself to the real IMDS: written exactly as it stands, one connection each. */
export interface ImdsQuestion {
  readonly method: string;
  readonly target: string;
  /** Header fields in order, names as they go out; latin-1. */
  readonly fields: readonly Field[];
  /** `1.1` unless said. */
  readonly httpVersion?: "1.0" | "1.1";
}

/** The whole answer. */
export interface ImdsAnswer {
  readonly head: AnswerHead;
  /** The head as received, with its blank line. */
  readonly headBytes: Buffer;
  /** The body as received, framing included. */
  readonly bodyBytes: Buffer;
  /** The body without its framing. */
  readonly body: Buffer;
}

export interface ImdsClient {
  /** Asks the upstream IMDS, until `signal` aborts. Rejects with UPSTREAM_UNAVAILABLE: connect 1 s, first byte 5 s (docs/contract.md, R7), body at most 64 KiB. */
  ask(question: ImdsQuestion, signal?: AbortSignal): Promise<ImdsAnswer>;
}

const MAX_BODY_BYTES = 65_536;

/** The client for imdsgate's own questions: token probe, base credentials, host facts. */
export function createImdsClient(upstream: Upstream): ImdsClient {
  return {
    async ask(question, signal) {
      const exchange = await openExchange(upstream, question.method, questionBytes(question), signal);
      const bodyBytes = await collect(exchange.body);
      return { head: exchange.head, headBytes: exchange.headBytes, bodyBytes, body: payloadOf(exchange.head, bodyBytes) };
    },
  };
}

/** All bytes of a body. Throws UPSTREAM_UNAVAILABLE past 64 KiB. */
async function collect(pieces: AsyncGenerator<Buffer, void, void>): Promise<Buffer> {
  const taken: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    taken.push(piece);
    size += piece.length;
    if (size > MAX_BODY_BYTES)
      throw new ImdsgateError("UPSTREAM_UNAVAILABLE", "the upstream IMDS answered with more than 64 KiB; check --upstream");
  }
  return Buffer.concat(taken);
}

/** The body without its framing. */
function payloadOf(head: AnswerHead, bodyBytes: Buffer): Buffer {
  if (head.framing.kind !== "chunked") return bodyBytes;
  const data: Buffer[] = [];
  createChunkedScanner((piece) => data.push(piece)).push(bodyBytes);
  return Buffer.concat(data);
}

function questionBytes({ method, target, fields, httpVersion = "1.1" }: ImdsQuestion): Buffer {
  const lines = [`${method} ${target} HTTP/${httpVersion}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
