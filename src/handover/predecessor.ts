import net from "node:net";
import type { Clock } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { type HandedOver, NOTHING, parseHandoverDocument } from "./handed-over.ts";
import { createMessagePipe, type MessagePipe } from "./message-pipe.ts";
import { saying } from "./words.ts";

/** The gateway that serves still, and ends when this one does. */
export interface Predecessor {
  /** Undefined where it ended, or said nothing that this program can read: it begins without. */
  readonly handedOver: HandedOver | undefined;
  /** Tells it that this one serves. */
  leave(): Promise<void>;
}

/** It puts down the rules first, and waits for calls that are under way. Before that is over it ends this one. */
const DOCUMENT_MS = 60_000;

/**
 * Says to the gateway at the other end of the descriptor `pipe` that this one is there, and takes what it hands over. Undefined where it is no pipe.
 * Throws HANDOVER_FAILED where it lives and says nothing: it keeps the rules then, which two must not do.
 */
export async function meetPredecessor(pipe: number, clock: Clock): Promise<Predecessor | undefined> {
  const stream = openPipe(pipe);
  return stream && meet(createMessagePipe(stream, clock));
}

/** As `meetPredecessor`, by a pipe that is open. */
export async function meet(messages: MessagePipe): Promise<Predecessor> {
  await messages.say(saying("loaded"));
  const heard = await messages.hear(DOCUMENT_MS);
  if (heard.kind === "late") {
    throw new ImdsgateError(
      "HANDOVER_FAILED",
      "the gateway that runs did not hand over; it goes on. To start anew: systemctl restart imdsgate",
    );
  }
  return {
    handedOver: heard.kind === "message" ? parseHandoverDocument(heard.message) : undefined,
    // The pipe stays open: while it does, that one can tell that this one lives.
    leave: () => messages.say(saying("serving")),
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
