import { fieldValues } from "../answer-head.ts";
import { type Exchange, openExchange, type Upstream } from "../imds-exchange.ts";
import { editListing, type ListingEdit } from "./listing.ts";
import type { ReplyBody } from "./reply.ts";
import type { RequestHead } from "./request-head.ts";

const MAX_LISTING_BYTES = 65_536;

/**
 * Carries one judged request to the real IMDS as it was received, `body` framing included, and gives its answer, or
 * undefined when there is none to be had (docs/contract.md, H3, H4 and R5). `signal`: the client is gone (R6).
 */
export async function passThrough(head: RequestHead, body: Buffer, upstream: Upstream, signal: AbortSignal): Promise<Exchange | undefined> {
  const request = body.length === 0 ? head.bytes : Buffer.concat([head.bytes, body]);
  return openExchange(upstream, head.method, request, signal).catch(() => undefined);
}

/**
 * The listing in `exchange` after `edit` (docs/contract.md, L4). Relayed as it is: a HEAD, another status or type, an
 * encoded, chunked or too long body, and a listing that the edit does not change.
 */
export async function editedListing(exchange: Exchange, method: string, edit: ListingEdit): Promise<ReplyBody> {
  const { head } = exchange;
  if (method !== "GET" || !isEditable(exchange)) return { kind: "stream", exchange };
  const pieces: Buffer[] = [];
  try {
    for await (const piece of exchange.body) pieces.push(piece);
  } catch {
    return { kind: "none" };
  }
  const listing = Buffer.concat(pieces).toString("latin1");
  const edited = editListing(listing, edit);
  const headBytes = edited === listing ? exchange.headBytes : withContentLength(exchange.headBytes, edited.length);
  return { kind: "whole", status: head.status, bytes: Buffer.concat([headBytes, Buffer.from(edited, "latin1")]) };
}

function isEditable({ head }: Exchange): boolean {
  const [type = ""] = fieldValues(head.fields, "content-type");
  const isShort = head.framing.kind === "length" && head.framing.bytes <= MAX_LISTING_BYTES;
  return head.status === 200 && isShort && /^text\/plain\b/i.test(type) && fieldValues(head.fields, "content-encoding").length === 0;
}

/** The head with another length: every other byte stays. */
function withContentLength(headBytes: Buffer, length: number): Buffer {
  const text = headBytes.toString("latin1").replace(/^(content-length:[ \t]*)\d+/gim, `$1${length}`);
  return Buffer.from(text, "latin1");
}
