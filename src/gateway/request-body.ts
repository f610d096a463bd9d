import { createChunkedScanner } from "../chunked.ts";
import type { RequestFraming } from "./request-head.ts";

const MAX_BODY_BYTES = 65_536;

/** Collects one request body to its end; what follows it is never looked at (docs/contract.md, R3 and R4). */
export interface BodyCollector {
  /** Takes the next bytes. `more` until the body is whole. */
  push(bytes: Buffer): "more" | "complete" | 400 | 413;
  /** The body as received, framing included. */
  bytes(): Buffer;
}

/** Makes the collector for a body framed as the head said. */
export function createBodyCollector(framing: RequestFraming): BodyCollector {
  const taken: Buffer[] = [];
  const scanner = createChunkedScanner();
  let size = 0;

  function take(bytes: Buffer): Buffer {
    if (framing.kind === "chunked") return bytes.subarray(0, scanner.push(bytes));
    return bytes.subarray(0, framing.kind === "length" ? framing.bytes - size : 0);
  }

  return {
    push(bytes) {
      const piece = take(bytes);
      taken.push(piece);
      size += piece.length;
      if (framing.kind !== "chunked") return framing.kind === "none" || size === framing.bytes ? "complete" : "more";
      if (scanner.state() === "bad") return 400;
      if (size > MAX_BODY_BYTES) return 413;
      return scanner.state() === "done" ? "complete" : "more";
    },
    bytes: () => Buffer.concat(taken),
  };
}
