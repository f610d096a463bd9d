import { GOOD_TOKEN } from "../support/sims.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { type Random, randomFor } from "./random.ts";
import { readAsSent } from "./sent-request.ts";
import { SPEAKERS, type Speaker } from "./speakers.ts";

/** What one client sends on one connection. */
export interface FuzzInput {
  readonly bytes: Buffer;
  /** Where the bytes are cut into packets, ascending. */
  readonly cuts: readonly number[];
  readonly speaker: Speaker;
  /** Whether the client leaves its side open after the last byte. */
  readonly staysOpen: boolean;
}

const METHODS = ["GET", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "PUT", "POST", "OPTIONS", "DELETE", "get", "TRACE", "PROPFIND"];
const COMMON_PROTOCOLS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"];
const ODD_PROTOCOLS = ["HTTP/1.2", "http/1.1", "HTTP/2.0", "ICY/1.0", "HTTP/1.1 ", "HTTP/0.9", ""];
const TOKEN = `X-aws-ec2-metadata-token: ${GOOD_TOKEN}`;

/** Fields that any client may send. */
const FIELDS = [
  ...[TOKEN, "x-aws-ec2-metadata-token: INVALID", "X-aws-ec2-metadata-token-ttl-seconds: 21600", "User-Agent: fuzz/1", "Accept: */*"],
  ...[
    "X-Forwarded-For: 10.0.0.1",
    "x-forwarded-for:",
    "Connection: close",
    "Connection: keep-alive",
    "Accept-Encoding: gzip",
    "Range: bytes=0-0",
  ],
  ...["If-None-Match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "TE: trailers", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"],
  ...["X-HTTP-Method-Override: GET", "X-Original-URL: /latest/meta-data/iam/info", "Cookie: a=b; c=d", "X-Odd:\t a \t", "X-High: \xe9"],
];

/** Fields and lines that frame a body, or that readers take apart differently. */
const ODD_FIELDS = [
  ...["Content-Length: 0", "Content-Length: 5", "Content-Length: 00", "Content-Length: +5", "Content-Length: 5, 5", "Content-Length : 5"],
  ...["Transfer-Encoding: chunked", "transfer-encoding:chunked", "Transfer-Encoding: Chunked", "Transfer-Encoding: gzip, chunked"],
  ...[
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: identity",
    "Transfer_Encoding: chunked",
    "Trailer: X",
  ],
  ...[
    "Host: b",
    "Host : a",
    " folded",
    "\tfolded",
    "no-colon",
    ": empty",
    "X: a\rY: b",
    "X: a\nContent-Length: 3",
    "X: a\0b",
    "X-\xe9: a",
    "Expect: 100-continue",
  ],
];

const BODIES = [
  "",
  "",
  "hello",
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
  "5\r\nhello\r\n0\n\n",
  "5 \r\nhello\r\n0\r\n\r\n",
];

/** The `index`-th input of a run with `seed`; `length` is the longest run of bytes that a mutation copies. */
export function fuzzInput(seed: number, index: number): FuzzInput {
  const random = randomFor(seed, index);
  let text = requestText(random);
  if (random.chance(12)) text += requestText(random);
  let bytes: Buffer = Buffer.from(text, "latin1");
  const mutations = random.pick([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4]);
  for (let n = 0; n < mutations; n++) bytes = mutated(bytes, random);
  const speaker = random.pick(SPEAKERS);
  return { bytes, cuts: cutsFor(bytes.length, random), speaker, staysOpen: readAsSent(bytes).isWhole && random.chance(30) };
}

function requestText(random: Random): string {
  const fields = [random.chance(98) ? "Host: 169.254.169.254" : random.pick(["host:a", "Host:", "X: y"])];
  if (random.chance(40)) fields.push(TOKEN);
  for (let n = random.pick([0, 0, 1, 1, 2, 4]); n > 0; n--) fields.splice(random.below(fields.length + 1), 0, random.pick(FIELDS));
  for (let n = random.chance(12) ? random.pick([1, 1, 2]) : 0; n > 0; n--)
    fields.splice(random.below(fields.length + 1), 0, random.pick(ODD_FIELDS));
  const body = random.chance(25) ? random.pick(BODIES) : "";
  if (body !== "" && random.chance(70)) fields.push(framingOf(body, random));
  const end = random.chance(99) ? "\r\n" : random.pick(["\n", "\r", "\r\r\n", "\n\r\n"]);
  const blank = random.chance(99) ? " " : random.pick(["  ", "\t", ""]);
  const line = `${random.pick(METHODS)}${blank}${fuzzTarget(random)} ${random.pick(random.chance(97) ? COMMON_PROTOCOLS : ODD_PROTOCOLS)}`;
  return `${[line, ...fields].join(end)}${end}\r\n${body}`;
}

function framingOf(body: string, random: Random): string {
  if (/\r\n\r\n$/.test(body) && random.chance(85)) return "Transfer-Encoding: chunked";
  return `Content-Length: ${body.length + (random.chance(90) ? 0 : random.pick([-1, 1, 10]))}`;
}

/** One change that knows nothing of HTTP. */
function mutated(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(random.pick([1, 1, 4, 40]));
  const head = bytes.subarray(0, at);
  switch (random.below(5)) {
    case 0:
      return Buffer.concat([head, bytes.subarray(at + length)]);
    case 1:
      return Buffer.concat([head, Buffer.from([random.below(256)]), bytes.subarray(at + 1)]);
    case 2:
      return Buffer.concat([
        head,
        Buffer.from(random.pick(["\r\n", "\n", "\r", "\0", " ", ":", "%", "/", "\r\n\r\n", ".."]), "latin1"),
        bytes.subarray(at),
      ]);
    case 3:
      return Buffer.concat([head, bytes.subarray(at, at + length), bytes.subarray(at)]);
    default: {
      const from = random.below(bytes.length + 1);
      return Buffer.concat([head, bytes.subarray(from, from + length), bytes.subarray(at)]);
    }
  }
}

/** Mostly one packet; sometimes a few, sometimes one for each byte of a part. */
function cutsFor(length: number, random: Random): readonly number[] {
  const count = random.pick([0, 0, 0, 0, 1, 1, 2, 3, 12]);
  const first = random.below(length + 1);
  const cuts =
    count === 12 ? Array.from({ length: count }, (_, n) => first + n) : Array.from({ length: count }, () => random.below(length + 1));
  return cuts.filter((cut) => cut > 0 && cut < length).sort((a, b) => a - b);
}
