import { GOOD_TOKEN } from "../support/sims.ts";

/** The first request in what a client sent, read by RFC 9112 alone: written apart from the gateway's own parser, to judge it. */
export interface SentRequest {
  /** Whether the head, and the body it tells of, are there to the end. */
  readonly isWhole: boolean;
  /** Whether its head is one that may reach the real service at all (docs/contract.md, R1, R2, R4). */
  readonly isInOrder: boolean;
  /** What a gateway may pass on of these bytes: all of a request in good order, or its head alone where the client waits to be told to go on. */
  readonly forwardable: readonly string[];
  /** The header fields of a question that asks for a verdict on the request's token (docs/contract.md, T7). */
  readonly probeFields: string;
  readonly method: string;
  /** Whether the real service would answer it with credentials, if there are any (docs/contract.md, T6, T9, M2). */
  readonly mayHaveCredentials: boolean;
}

interface SentField {
  /** Lower-case. */
  readonly name: string;
  readonly value: string;
  readonly line: string;
}

const UNREADABLE: SentRequest = {
  isWhole: false,
  isInOrder: false,
  forwardable: [],
  probeFields: "",
  method: "",
  mayHaveCredentials: false,
};
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
const LONGEST = { line: 8_192, head: 16_384, fields: 100, body: 65_536 };

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
  const mayPass = head.length <= LONGEST.head && (bodyLength ?? 0) <= LONGEST.body && isInOrder(requestLine, fields);
  const whole = isWhole && mayPass ? [text.slice(0, head.length + bodyLength)] : [];
  const waiting = mayPass && fields.some(({ name }) => name === "expect") ? [head] : [];
  return {
    isWhole,
    isInOrder: mayPass,
    forwardable: [...whole, ...waiting],
    probeFields: fields
      .filter(({ name }) => !NOT_PROBED.includes(name) && !name.startsWith("if-"))
      .map(({ line, value }) => `${line.replace(/:.*$/s, "")}: ${value}\r\n`)
      .join(""),
    method,
    mayHaveCredentials: mayPass && /^(?:GET|HEAD)$/.test(method) && isTokenGood(fields),
  };
}

/** What R1 and R4 of docs/contract.md let through, and nothing that two readers could cut differently. */
function isInOrder(requestLine: string, fields: readonly SentField[]): boolean {
  const valuesOf = (wanted: string) => fields.filter(({ name }) => name === wanted).map(({ value }) => value);
  const [, minor] = /^(?!PRI )[\w!#$%&'*+.^`|~-]+ [!"$-~]+ HTTP\/1\.([01])$/.exec(requestLine) ?? [];
  const lengths = valuesOf("content-length");
  const encodings = valuesOf("transfer-encoding");
  const isNameGood = fields.every(({ line }) => /^[\w!#$%&'*+.^`|~-]+:[\t -~\x80-\xff]*$/.test(line));
  const isLengthGood = lengths.every((length) => /^\d+$/.test(length) && Number(length) === Number(lengths[0]));
  const isEncodingGood = encodings.length === 0 || (encodings.join() === "chunked" && lengths.length === 0 && minor === "1");
  const isSizeGood = requestLine.length <= LONGEST.line && fields.length <= LONGEST.fields;
  return (
    minor !== undefined && isNameGood && isLengthGood && isEncodingGood && isSizeGood && (minor === "0" || valuesOf("host").length === 1)
  );
}

function isTokenGood(fields: readonly SentField[]): boolean {
  const tokens = fields.filter(({ name }) => name === "x-aws-ec2-metadata-token");
  if (tokens.length === 0) return true;
  return tokens.length === 1 && tokens[0]?.value === GOOD_TOKEN && fields.every(({ name }) => name !== "x-forwarded-for");
}

function fieldValueOf(line: string): string {
  return line.slice(line.indexOf(":") + 1).replace(/^[ \t]+|[ \t]+$/g, "");
}

function bodyLengthOf(rest: string, fields: readonly SentField[]): number | undefined {
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
