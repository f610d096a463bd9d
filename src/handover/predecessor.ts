import net from "node:net";
import type { Clock } from "../clock.ts";
import { type HandedOver, NOTHING, parseHandoverDocument } from "./handed-over.ts";
import { createMessagePipe } from "./message-pipe.ts";
import { saying } from "./words.ts";

/** The gateway that serves still, and ends when this one does. */
export interface Predecessor {
  /** Undefined where it said nothing in time, or nothing that this program can read: it begins without. */
  readonly handedOver: HandedOver | undefined;
  /** Tells it that this one serves. */
  leave(): Promise<void>;
}

/** It puts down the rules first, and waits for calls that are under way. */
const DOCUMENT_MS = 5_000;

/** Says to the gateway at the other end of the descriptor `pipe` that this one is there, and takes what it hands over. Undefined where it is no pipe. */
export async function meetPredecessor(pipe: number, clock: Clock): Promise<Predecessor | undefined> {
  const stream = openPipe(pipe);
  if (stream === undefined) return undefined;
  const messages = createMessagePipe(stream, clock);
  await messages.say(saying("loaded"));
  const heard = await messages.hear(DOCUMENT_MS);
  return {
    handedOver: heard.kind === "message" ? parseHandoverDocument(heard.message) : undefined,
    async leave() {
      await messages.say(saying("serving"));
      messages.close();
    },
  };
}

/** What this gateway begins with. */
export function inheritedFrom({ handedOver }: Predecessor): HandedOver {
  return handedOver ?? NOTHING;
}

function openPipe(fd: number): net.Socket | undefined {
  try {
    return new net.Socket({ fd, readable: true, writable: true });
  } catch {
    return undefined;
  }
}
