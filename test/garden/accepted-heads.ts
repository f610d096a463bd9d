import { createChunkedScanner } from "../../src/chunked.ts";
import { classify } from "../../src/gateway/classify.ts";
import { createBodyCollector } from "../../src/gateway/request-body.ts";
import { HEAD_START, parseRequestHead, scanHead } from "../../src/gateway/request-head.ts";
import wire from "../contract/wire.json" with { type: "json" };

/** A request as it stands on the wire, latin-1. */
export interface WireRequest {
  readonly name: string;
  readonly raw: string;
}

/** What the gateway makes of a request that its parser accepts. */
export interface OwnReading {
  readonly target: string;
  /** The path's segments, decoded once; undefined where the request is not passed through. */
  readonly segments: readonly string[] | undefined;
  /** The body without its framing. */
  readonly bodyBytes: number;
  /** What is sent on, where it is. */
  readonly forwarded: Buffer;
}

/** Undefined where the parser refuses it. */
function ownReading(raw: string): OwnReading | undefined {
  const bytes = Buffer.from(raw, "latin1");
  const found = scanHead(bytes, HEAD_START.kind === "more" ? HEAD_START.scan : { at: 0, lineStart: 0 });
  if (found.kind !== "complete") return undefined;
  const head = parseRequestHead(bytes.subarray(0, found.end));
  if (typeof head === "number") return undefined;
  const collector = createBodyCollector(head.framing);
  if (collector.push(bytes.subarray(found.end)) !== "complete") return undefined;
  const body = collector.bytes();
  const target = classify(head.target, []);
  return {
    target: head.target,
    segments: target.fate === "pass-through" ? target.segments : undefined,
    bodyBytes: head.framing.kind === "chunked" ? payloadBytes(body) : body.length,
    forwarded: Buffer.concat([head.bytes, body]),
  };
}

function payloadBytes(body: Buffer): number {
  let bytes = 0;
  createChunkedScanner((piece) => {
    bytes += piece.length;
  }).push(body);
  return bytes;
}

const TARGETS = [
  "/",
  "//",
  "///x",
  "//a//b//",
  "//evil.example/x?y",
  "//user@evil.example:80/x",
  "/x/",
  "/x?",
  "/x??a=?b",
  "/x?a=/../../latest/meta-data/iam/&b=%2e%2e%2f",
  "/x?%zz&%00",
  "/x?a;b=c\\d",
  "/x?http://evil/",
  "/http://evil/x",
  "/x:80/y@z",
  "/a%2Db",
  "/%61%6Di",
  "/%7e/~/-._",
  "/a+b/a%2Bb",
  "/a%25b",
  "/a%2Fb",
  "/a%3Fb",
  "/a%23b",
  "/a%3Bb",
  "/a%20b",
  "/a%5Cb",
  "/a%22%3C%3E%5E%60%7B%7C%7Db",
  '/a"<>^`{|}b',
  "/a[b]'()*!$&,=",
  "/...",
  "/.hidden/a.",
  "/a/.../b",
  "/a/./b",
  "/a/../b",
  "/a/%2e%2E/b",
  "/a;b/c;d=1",
  "/a\\b",
  "/*",
  "/%",
  "/latest/meta-data/ami%2Did/",
  "HTTP://169.254.169.254/x",
  "http://169.254.169.254:80//x/",
  "http://169.254.169.254?x=/y",
  "http://[fd00:ec2::254]/x?",
  "http://[FD00:EC2::254]:80",
  `/${"a/".repeat(1_000)}`,
];

const LENGTH_LINES = [
  "Content-Length: 4",
  "content-LENGTH:4",
  "Content-Length: \t 4 \t",
  "Content-Length: 0004",
  "Content-Length: 000000000000004",
  "Content-Length: 4\r\nContent-Length: 4",
  "Content-Length: 4\r\nContent-Length: 04",
  "Connection: Content-Length\r\nContent-Length: 4",
  "Connection: close, content-length\r\nContent-Length: 4",
  "Content_Length: 9\r\nContent-Length: 4",
  "Content-Length: 4\r\nTransfer_Encoding: chunked",
  "Content-Length: 4\r\nTE: chunked",
  "Content-Length: 4\r\nTransfer-Encoding-X: chunked",
  "Content-Length: 4\r\nX-Content-Length: 9",
  "Content-Length: 4\r\nContent-Encoding: chunked",
  "Content-Length: 4\r\nX: a\x85Content-Length: 9",
  "Content-Length: 4\r\nX: \xa0Transfer-Encoding: chunked",
  "Content-Length: 4\r\nUpgrade: websocket\r\nConnection: Upgrade",
  "Content-Length: 4\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
  "Content-Length: 4\r\nExpect: 100-continue",
  "Content-Length: 4\r\nX-HTTP-Method-Override: CONNECT",
  "Content-Length: 4\r\nProxy-Connection: keep-alive\r\nKeep-Alive: timeout=5",
];

const CHUNKED_LINES = [
  "Transfer-Encoding: chunked",
  "transfer-encoding:chunked",
  "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
  "Content_Length: 4\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nTE: trailers, deflate",
  "Transfer-Encoding: chunked\r\nTrailer: Content-Length, X",
  "Transfer-Encoding: chunked\r\nExpect: 100-continue",
];

const CHUNKED_BODIES = [
  "0\r\n\r\n",
  "4\r\nabcd\r\n0\r\n\r\n",
  "04\r\nabcd\r\n00000\r\n\r\n",
  "00000004\r\nabcd\r\n0\r\n\r\n",
  "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
  "4;\r\nabcd\r\n0;\r\n\r\n",
  '4;a="b c";d\r\nabcd\r\n0;x=y\r\n\r\n',
  "4;\t \xe9\r\nabcd\r\n0\r\n\r\n",
  "4;GET /two HTTP/1.1\r\nabcd\r\n0\r\n\r\n",
  `4;${"x".repeat(2_000)}\r\nabcd\r\n0\r\n\r\n`,
  "4\r\n\r\n\r\n\r\n0\r\n\r\n",
  "22\r\nGET /two HTTP/1.1\r\nHost: two.two\r\n\r\n0\r\n\r\n",
  "4\r\nabcd\r\n0\r\nX: y\r\n\r\n",
  "4\r\nabcd\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n",
  "0\r\nX: a\xe9\r\nX:\r\n\r\n",
];

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "PROPFIND",
  "QUERY",
  "get",
  "M-SEARCH",
  "X!#$%&'*+-.^_`|~9",
];

const HOST_LINES = [
  "Host: 169.254.169.254",
  "hOST:169.254.169.254:80",
  "Host:",
  "Host: evil.example",
  "Host: [::1]:8080",
  "Host: a, b",
  "Host: a b",
  "Host: user@a",
  "Host: a/b?c#d",
  "Host: \xe9",
  "Host: 169.254.169.254\r\nX-Forwarded-Host: b\r\nForwarded: host=c",
  "Host: 169.254.169.254\r\nConnection: Host",
];

const OTHER_LINES = [
  "Connection: keep-alive",
  "Connection: close",
  "Connection: X-aws-ec2-metadata-token\r\nX-aws-ec2-metadata-token: a",
  "X-aws-ec2-metadata-token: a\r\nx-aws-ec2-metadata-token: b",
  "!#$%&'*+-.^_`|~9: odd",
  "X:",
  "X: \t ",
  "X: \x80\x85\xa0\xff",
  "X: a\x85 b\x85",
  "From : a".replace(" :", ":"),
  "X-Original-URL: /two\r\nX-Rewrite-URL: /two",
  "X-Forwarded-For:\r\nX-Forwarded-For: 1",
  "Expect: more",
  "Range: bytes=0-0\r\nIf-Range: x",
];

const HOST = "Host: 169.254.169.254";

const VARIATIONS: readonly WireRequest[] = [
  ...TARGETS.map((target) => request("GET", target, HOST, "")),
  ...METHODS.flatMap((method) => [
    request(method, "/x", HOST, ""),
    request(method, "/x", `${HOST}\r\nContent-Length: 4`, "abcd"),
    request(method, "/x", `${HOST}\r\nTransfer-Encoding: chunked`, "4\r\nabcd\r\n0\r\n\r\n"),
  ]),
  ...HOST_LINES.flatMap((lines) => [request("GET", "/x", lines, ""), request("GET", "http://169.254.169.254/x", lines, "")]),
  ...LENGTH_LINES.flatMap((lines) => ["GET", "PUT"].map((method) => request(method, "/x", `${HOST}\r\n${lines}`, "abcd"))),
  ...CHUNKED_LINES.map((lines) => request("PUT", "/x", `${HOST}\r\n${lines}`, "4\r\nabcd\r\n0\r\n\r\n")),
  ...CHUNKED_BODIES.flatMap((body) => ["GET", "PUT"].map((method) => request(method, "/x", `${HOST}\r\nTransfer-Encoding: chunked`, body))),
  ...OTHER_LINES.map((lines) => request("GET", "/x", `${HOST}\r\n${lines}`, "")),
  request("PUT", "/x", `${HOST}\r\nContent-Length: 46`, "GET /two HTTP/1.1\r\nHost: a\r\nX: 0123456789\r\n\r\n\n"),
  ...["", "Host: a", "Host: a\r\nConnection: keep-alive", "Host: a\r\nHost: a", "Content-Length: 4"].map((lines) => oldRequest(lines)),
];

/** Every request of `wire.json` and around it that the parser accepts, with its own reading. */
export function acceptedRequests(): readonly (WireRequest & { readonly own: OwnReading })[] {
  const all = [...wire.heads, ...wire.requests.map(({ name, raw }) => ({ name: `request ${name}`, raw })), ...VARIATIONS];
  return all.flatMap(({ name, raw }) => {
    const own = ownReading(raw);
    return own ? [{ name, raw, own }] : [];
  });
}

function request(method: string, target: string, lines: string, body: string): WireRequest {
  const raw = `${method} ${target} HTTP/1.1\r\n${lines}\r\n\r\n${body}`;
  return { name: JSON.stringify(raw.length > 160 ? `${raw.slice(0, 160)}…` : raw), raw };
}

function oldRequest(lines: string): WireRequest {
  const raw = `PUT /x HTTP/1.0\r\n${lines === "" ? "" : `${lines}\r\n`}\r\n${lines.includes("Content-Length") ? "abcd" : ""}`;
  return { name: JSON.stringify(raw), raw };
}
