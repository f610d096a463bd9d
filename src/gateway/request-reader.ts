import type { Socket } from "node:net";
import { fieldValues } from "../answer-head.ts";
import type { Clock } from "../clock.ts";
import { nextPiece } from "../next-piece.ts";
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

/** Reads from `socket`. A client that is too slow is cut off: the socket is destroyed. */
export function createRequestReader(socket: Socket, clock: Clock): RequestReader {
  let unread: Buffer = Buffer.alloc(0);

  async function collectHead(): Promise<Buffer | RefusedStatus | undefined> {
    let found: HeadScan = HEAD_START;
    while (found.kind === "more") {
      const piece = await nextPiece(socket);
      if (!piece) return undefined;
      unread = unread.length === 0 ? piece : Buffer.concat([unread, piece]);
      found = scanHead(unread, found.scan);
    }
    if (found.kind === "refused") return found.status;
    const head = unread.subarray(0, found.end);
    unread = unread.subarray(found.end);
    return head;
  }

  /** What `work` reads; the socket is destroyed, which ends it, after `ms` milliseconds. */
  async function within<T>(ms: number, work: Promise<T>): Promise<T> {
    const cancel = clock.after(ms, () => socket.destroy());
    const result = await work;
    cancel();
    return result;
  }

  return {
    async readHead() {
      const bytes = await within(HEAD_MS, collectHead());
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
        piece = await within(BODY_IDLE_MS, nextPiece(socket));
      }
      return undefined;
    },
  };
}
