/** The first request in what a client sent, read by RFC 9112 alone: written apart from the gateway's own parser, to judge it. */
export interface SentRequest {
  /** Whether the head, and the body it tells of, are there to the end. */
  readonly isWhole: boolean;
  /** What a gateway may pass on of these bytes: all of the request, or its head alone where the client waits to be told to go on. */
  readonly forwardable: readonly string[];
  /** The header fields of a question that asks for a verdict on the request's token (docs/contract.md, T7). */
  readonly probeFields: string;
  readonly method: string;
}

const UNREADABLE: SentRequest = { isWhole: false, forwardable: [], probeFields: "", method: "" };
const NOT_PROBED = [
  "content-length",
  "transfer-encoding",
  "te",
  "trailer",
  "connection",
  "keep-alive",
  "upgrade",
  "http2-settings",
  "expect",
  "range",
];

/** Reads `bytes` as latin-1. */
export function readAsSent(bytes: Buffer): SentRequest {
  const text = bytes.toString("latin1");
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return UNREADABLE;
  const head = text.slice(0, headEnd + 4);
  const [requestLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const [method = ""] = requestLine.split(" ", 1);
  const fields = lines.map((line) => ({ name: line.replace(/:.*$/s, "").toLowerCase(), line, value: fieldValueOf(line) }));
  const bodyLength = bodyLengthOf(text.slice(head.length), fields);
  const isWhole = bodyLength !== undefined && head.length + bodyLength <= text.length;
  const expects = fields.some(({ name }) => name === "expect");
  return {
    isWhole,
    forwardable: [...(isWhole ? [text.slice(0, head.length + bodyLength)] : []), ...(expects ? [head] : [])],
    probeFields: fields
      .filter(({ name }) => !NOT_PROBED.includes(name) && !name.startsWith("if-"))
      .map(({ line, value }) => `${line.replace(/:.*$/s, "")}: ${value}\r\n`)
      .join(""),
    method,
  };
}

function fieldValueOf(line: string): string {
  return line.slice(line.indexOf(":") + 1).replace(/^[ \t]+|[ \t]+$/g, "");
}

function bodyLengthOf(rest: string, fields: readonly { readonly name: string; readonly value: string }[]): number | undefined {
  if (fields.some(({ name }) => name === "transfer-encoding")) return chunkedLength(rest);
  const length = fields.find(({ name }) => name === "content-length")?.value ?? "0";
  return /^\d{1,9}$/.test(length) ? Number(length) : undefined;
}

function chunkedLength(text: string): number | undefined {
  let at = 0;
  for (;;) {
    const [line, digits] = /^([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n/.exec(text.slice(at)) ?? [];
    if (line === undefined || digits === undefined) return undefined;
    const size = Number.parseInt(digits, 16);
    at += line.length;
    if (size === 0) break;
    at += size + 2;
    if (text.slice(at - 2, at) !== "\r\n") return undefined;
  }
  const [trailers] = /^(?:[^\r\n:]+:[^\r\n]*\r\n)*\r\n/.exec(text.slice(at)) ?? [];
  return trailers === undefined ? undefined : at + trailers.length;
}
