import { type Field, fieldValues } from "../answer-head.ts";

/** How the body of a request ends. */
export type RequestFraming = { readonly kind: "none" } | { readonly kind: "length"; readonly bytes: number } | { readonly kind: "chunked" };

/** One well-formed request head (docs/contract.md, R1). What was judged is what is forwarded: `bytes`. */
export interface RequestHead {
  readonly method: string;
  /** The request target exactly as received. */
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  /** Order, case and duplicates as received; values without surrounding blanks; latin-1. */
  readonly fields: readonly Field[];
  readonly framing: RequestFraming;
  /** The head as received, with its blank line. */
  readonly bytes: Buffer;
}

/** Why a head is refused: malformed (400), line too long (414), head too long or too many fields (431), body too long (413). */
export type RefusedStatus = 400 | 413 | 414 | 431;

export type HeadScan =
  | { readonly kind: "more"; readonly scan: HeadProgress }
  | { readonly kind: "complete"; readonly end: number }
  | { readonly kind: "refused"; readonly status: RefusedStatus };

/** How far a head has been looked at, so that each byte is looked at once however it was cut into packets. */
interface HeadProgress {
  readonly at: number;
  readonly lineStart: number;
}

/** Where the scan of a head begins. */
export const HEAD_START: HeadScan = { kind: "more", scan: { at: 0, lineStart: 0 } };

const MAX_LINE_BYTES = 8_192;
const MAX_HEAD_BYTES = 16_384;
const MAX_FIELDS = 100;
const MAX_BODY_BYTES = 65_536;
const CR = 0x0d;
const LF = 0x0a;

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21\x22\x24-\x7e]+) HTTP\/1\.([01])$/;
/** Exactly `chunked`, no blank after it: an upstream may read another one differently than we do. */
const TRANSFER_ENCODING_LINE = /^[^:]+: ?chunked$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;

/** Looks for the end of the head in `bytes`, from where `progress` left off, and refuses at the first byte that no head has. */
export function scanHead(bytes: Buffer, progress: HeadProgress): HeadScan {
  let lineStart = progress.lineStart;
  for (let at = progress.at; at < bytes.length; at++) {
    const status = refusalAt(bytes, at, lineStart);
    if (status !== undefined) return { kind: "refused", status };
    if (bytes[at] !== LF) continue;
    if (at - lineStart === 1) return { kind: "complete", end: at + 1 };
    lineStart = at + 1;
  }
  return { kind: "more", scan: { at: bytes.length, lineStart } };
}

/** Why the byte at `at` cannot stand in a head, all before it being right; `lineStart` is 0 in the request line. */
function refusalAt(bytes: Buffer, at: number, lineStart: number): RefusedStatus | undefined {
  const byte = bytes[at] ?? 0;
  if (at >= MAX_HEAD_BYTES) return 431;
  const isLineEnd = byte === LF;
  if (isLineEnd !== (at > 0 && bytes[at - 1] === CR)) return 400;
  if (lineStart > 0) return undefined;
  if (isLineEnd) return REQUEST_LINE.test(bytes.toString("latin1", 0, at - 1)) ? undefined : 400;
  if (at > MAX_LINE_BYTES) return 414;
  // Printable ASCII, or the CR that ends the line: a TLS hello or other junk is refused at its first byte.
  return (byte >= 0x20 && byte <= 0x7e) || byte === CR ? undefined : 400;
}

/** Reads a complete head, `bytes` being exactly what `scanHead` found (docs/contract.md, R1 and R4). */
export function parseRequestHead(bytes: Buffer): RequestHead | RefusedStatus {
  const [requestLine = "", ...lines] = bytes.toString("latin1", 0, bytes.length - 4).split("\r\n");
  const [, method, target, minor] = REQUEST_LINE.exec(requestLine) ?? [];
  if (method === undefined || target === undefined || method === "PRI") return 400;
  const fields = lines.map(parseField);
  if (!fields.every((field) => field !== undefined)) return 400;
  if (fields.length > MAX_FIELDS) return 431;
  const httpVersion = minor === "1" ? "1.1" : "1.0";
  const hosts = fieldValues(fields, "host").length;
  if (httpVersion === "1.1" && hosts !== 1) return 400;
  if (lines.some((line) => /^transfer-encoding:/i.test(line) && !TRANSFER_ENCODING_LINE.test(line))) return 400;
  const framing = framingOf(fields, httpVersion);
  return typeof framing === "number" ? framing : { method, target, httpVersion, fields, framing, bytes };
}

function parseField(line: string): Field | undefined {
  const [, name, value] = FIELD_LINE.exec(line) ?? [];
  return name === undefined || value === undefined ? undefined : [name, value.replace(/^[ \t]+|[ \t]+$/g, "")];
}

function framingOf(fields: readonly Field[], httpVersion: "1.0" | "1.1"): RequestFraming | 400 | 413 {
  const lengths = fieldValues(fields, "content-length");
  const encodings = fieldValues(fields, "transfer-encoding");
  if (encodings.length > 0) {
    return encodings.length === 1 && lengths.length === 0 && httpVersion === "1.1" ? { kind: "chunked" } : 400;
  }
  if (lengths.length === 0) return { kind: "none" };
  const bytes = Number(lengths[0]);
  if (!lengths.every((length) => /^\d{1,15}$/.test(length) && Number(length) === bytes)) return 400;
  return bytes > MAX_BODY_BYTES ? 413 : { kind: "length", bytes };
}
