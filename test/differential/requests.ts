import fc from "fast-check";
import { classify } from "../../src/gateway/classify.ts";

/** One step of a sequence that the metadata service is put through, directly and through the gateway. */
export type Step =
  | { readonly kind: "request"; readonly request: RequestSketch }
  | { readonly kind: "advance"; readonly seconds: number }
  | { readonly kind: "tokens"; readonly use: "optional" | "required" }
  | { readonly kind: "state"; readonly state: "ok" | "throttled" | "down" };

/** A request; what stands for an IMDS token in it is filled in when it is sent. */
export interface RequestSketch {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** Header lines without their line ends. `{0}`, `{1}` … stand for the tokens that the sequence got so far. */
  readonly lines: readonly string[];
  readonly body: string;
  /** What is sent behind the request on the same connection. */
  readonly surplus: string;
}

const VERSIONS = ["latest", "1.0", "2009-04-04", "2021-03-23", "2031-01-01", "LATEST", "nope"];
const ITEMS = [
  "",
  "/",
  "/meta-data",
  "/meta-data/",
  "/meta-data/instance-id",
  "/meta-data/instance-id/",
  "/meta-data/placement/",
  "/meta-data/placement/region",
  "/meta-data/tags/instance/Name",
  "/meta-data/services/partition/deeper",
  "/meta-data/no-such-item",
  "/meta-data/.../x",
  "/user-data",
  "/dynamic",
  "/dynamic/instance-identity/document",
  "/api/token",
  "/api/token/",
  "/x/api/token",
];
const ODD_TARGETS = [
  "/",
  "//",
  "/?",
  "/meta-data/ami-id",
  "/%6catest/user-data",
  "http://169.254.169.254",
  "http://169.254.169.254?x",
  '/x{}|^"<>`',
];
const METHODS = ["PUT", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "Get", "X!#$%&'*+-.^_`|~9"];
const ODD_LINES = [
  "Connection: keep-alive",
  "Connection: close, X-aws-ec2-metadata-token",
  "Connection: Upgrade, HTTP2-Settings",
  "Upgrade: h2c",
  "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
  "Range: bytes=0-0",
  "If-Modified-Since: Tue, 24 Nov 2026 02:00:00 GMT",
  'If-None-Match: "x"',
  "Accept-Encoding: gzip, br",
  "Expect: 100-continue",
  "Expect: more",
  "X-Forwarded-For: 10.0.0.1",
  "x-forwarded-for:",
  "Forwarded: for=10.0.0.1",
  "Via: 1.1 somebody",
  "X-HTTP-Method-Override: DELETE",
  "Transfer_Encoding: chunked",
  "TE: trailers",
  "Cookie: a=1",
  "cookie: a=2",
  "X-Empty:",
  "X-Blanks:\t   both sides \t ",
  "X-Latin: caf\xe9 \xff",
  "!#$%&'*+-.^_`|~: odd name",
  "User-Agent: aws-cli/2",
];

/** A second request on the connection: nobody answers it (`docs/contract.md`, H2 and R3). */
export const SURPLUS = "GET /latest/user-data HTTP/1.1\r\nHost: surplus\r\n\r\n";

/** A target that the gateway passes through: no path of the IAM tree, none that it withholds. */
const target = fc
  .oneof(
    {
      weight: 8,
      arbitrary: fc
        .tuple(fc.constantFrom("latest", "latest", ...VERSIONS), fc.constantFrom(...ITEMS))
        .map(([version, item]) => `/${version}${item}`),
    },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_TARGETS) },
  )
  .chain((path) =>
    fc.constantFrom(path, path, path, `${path}?a=/../b&iam`, `/${path}`, path.replace(/a/g, "%61"), `http://[fd00:ec2::254]:80${path}`),
  )
  .filter((path) => classify(path, []).fate === "pass-through");

const tokenValue = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("{0}", "{0}", "{1}", "{2}") },
  {
    weight: 2,
    arbitrary: fc.constantFrom("", "INVALID", "{0}x", " {0} ", "{0}, {1}", "AQAEA==", "a b", "\xe9", "%24{0}", "x".repeat(300)),
  },
);
const tokenLine = fc
  .tuple(fc.constantFrom("X-aws-ec2-metadata-token", "x-aws-ec2-metadata-token", "X-AWS-EC2-METADATA-TOKEN"), tokenValue)
  .map(([name, value]) => `${name}: ${value}`);
const ttlLine = fc
  .constantFrom("60", "60", "1", "21600", "21601", "0", "-1", "007", "1.5", "", "abc", "60, 60", "999999")
  .map((ttl) => `X-aws-ec2-metadata-token-ttl-seconds: ${ttl}`);
const hostLine = fc.constantFrom("Host: 169.254.169.254", "host:instance-data", "HOST: [fd00:ec2::254]:80", "Host:", "Host: a b/c@d");

/** Header lines and the body that they frame. */
const framed = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ lines: [], body: "" }) },
  { weight: 1, arbitrary: fc.constant({ lines: ["Content-Length: 0"], body: "" }) },
  { weight: 1, arbitrary: fc.constant({ lines: ["content-length:  004 ", "Content-Length: 4"], body: "\0\xff\r\n" }) },
  { weight: 1, arbitrary: fc.constant({ lines: ["Transfer-Encoding: chunked"], body: "0\r\n\r\n" }) },
  {
    weight: 1,
    arbitrary: fc.constant({
      lines: ["transfer-encoding:chunked", "Trailer: X"],
      body: "3;a=b\r\n\0\r\n\r\n0A\r\n0123456789\r\n000\r\nX: y\r\n\r\n",
    }),
  },
);

const request = fc
  .record({
    method: fc.oneof({ weight: 5, arbitrary: fc.constant("GET") }, { weight: 5, arbitrary: fc.constantFrom(...METHODS) }),
    target,
    version: fc.constantFrom("1.1" as const, "1.1" as const, "1.0" as const),
    hosts: fc.array(hostLine, { maxLength: 2 }),
    tokens: fc.oneof(
      { weight: 9, arbitrary: fc.array(tokenLine, { maxLength: 1 }) },
      { weight: 1, arbitrary: fc.tuple(tokenLine, tokenLine) },
    ),
    ttls: fc.array(ttlLine, { maxLength: 1 }),
    odd: fc.array(fc.constantFrom(...ODD_LINES), { maxLength: 4 }),
    framed,
    order: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
    surplus: fc.constantFrom("", "", "", SURPLUS),
  })
  .map(({ method, target: path, version, hosts, tokens, ttls, odd, framed: { lines, body }, order, surplus }): RequestSketch => {
    const isOld = version === "1.0";
    const isChunked = lines.some((line) => /^transfer/i.test(line));
    const own = isOld ? hosts : [hosts[0] ?? "Host: a"];
    const framing = isOld && isChunked ? [] : lines;
    const all = [...own, ...tokens, ...ttls, ...odd, ...framing].map((line, k) => ({ line, at: order[k] ?? 0 }));
    const sorted = all.toSorted((a, b) => a.at - b.at).map(({ line }) => line);
    return { method, target: path, version, lines: sorted, body: isOld && isChunked ? "" : body, surplus };
  });

/** How an SDK begins: it makes token 0 of the sequence. */
const TOKEN_PUT: Step = {
  kind: "request",
  request: {
    method: "PUT",
    target: "/latest/api/token",
    version: "1.1",
    lines: ["Host: a", "X-aws-ec2-metadata-token-ttl-seconds: 21600"],
    body: "",
    surplus: "",
  },
};

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: request.map((one) => ({ kind: "request" as const, request: one })) },
  { weight: 2, arbitrary: fc.constant(TOKEN_PUT) },
  { weight: 1, arbitrary: fc.constantFrom(1, 59, 60, 21_599, 21_600).map((seconds) => ({ kind: "advance" as const, seconds })) },
  { weight: 1, arbitrary: fc.constantFrom("optional" as const, "required" as const).map((use) => ({ kind: "tokens" as const, use })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("ok" as const, "throttled" as const, "down" as const).map((state) => ({ kind: "state" as const, state })),
  },
);

/** Sequences of one to six steps. Most begin with a token, as SDKs do. */
export const sequences: fc.Arbitrary<readonly Step[]> = fc
  .tuple(fc.constantFrom([TOKEN_PUT], [TOKEN_PUT], []), fc.array(step, { minLength: 1, maxLength: 5 }))
  .map(([begin, steps]) => [...begin, ...steps]);
