import type { Socket } from "node:net";
import { fieldValues } from "../answer-head.ts";
import type { Clock } from "../clock.ts";
import { createBodyCollector } from "./request-body.ts";
import { HEAD_START, type HeadScan, parseRequestHead, type RefusedStatus, type RequestHead, scanHead } from "./request-head.ts";

const HEAD_MS = 10_000;
const BODY_IDLE_MS = 10_000;

/** Reads the one request of a connection (docs/contract.md, H2), never a byte further than it must. */
export interface RequestReader {
  /** The head; a status where it is refused; undefined where the client went away, or was slower than 10 s. */
  readHead(): Promise<RequestHead | RefusedStatus | undefined>;
  /**
   * The body of `head` as received; a status where it is refused; undefined as above, 10 s being the idle time. A client that
   * waits to be told to go on (`Expect`) is not waited for: the real IMDS refuses by the head alone (docs/contract.md, M5).
   */
  readBody(head: RequestHead): Promise<Buffer | 400 | 413 | undefined>;
}

export function createRequestReader(socket: Socket, clock: Clock): RequestReader {
  let unread: Buffer = Buffer.alloc(0);

  async function collectHead(signal: AbortSignal): Promise<Buffer | RefusedStatus | undefined> {
    let found: HeadScan = HEAD_START;
    while (found.kind === "more") {
      const piece = await nextPiece(socket, signal);
      if (!piece) return undefined;
      unread = unread.length === 0 ? piece : Buffer.concat([unread, piece]);
      found = scanHead(unread, found.scan);
    }
    if (found.kind === "refused") return found.status;
    const head = unread.subarray(0, found.end);
    unread = unread.subarray(found.end);
    return head;
  }

  return {
    async readHead() {
      const bytes = await withDeadline(clock, HEAD_MS, collectHead);
      return Buffer.isBuffer(bytes) ? parseRequestHead(bytes) : bytes;
    },
    async readBody(head) {
      if (unread.length === 0 && fieldValues(head.fields, "expect").length > 0) return unread;
      const collector = createBodyCollector(head.framing);
      let piece: Buffer | undefined = unread;
      while (piece) {
        const state = collector.push(piece);
        if (state === "complete") return collector.bytes();
        if (state !== "more") return state;
        piece = await withDeadline(clock, BODY_IDLE_MS, (signal) => nextPiece(socket, signal));
      }
      return undefined;
    },
  };
}

async function withDeadline<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const cancel = clock.after(ms, () => deadline.abort());
  try {
    return await work(deadline.signal);
  } finally {
    cancel();
  }
}

/** The next bytes of the socket; undefined at its end, when it is gone, or when `signal` aborts. */
function nextPiece(socket: Socket, signal: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (piece: Buffer | undefined) => {
      socket.off("readable", look).off("end", end).off("close", end);
      signal.removeEventListener("abort", end);
      resolve(piece);
    };
    const end = () => settle(undefined);
    const look = () => {
      const piece: unknown = socket.read();
      if (Buffer.isBuffer(piece)) settle(piece);
      else if (socket.readableEnded || socket.destroyed) end();
    };
    socket.on("readable", look).on("end", end).on("close", end);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    else look();
  });
}
