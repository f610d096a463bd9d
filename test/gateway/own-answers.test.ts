import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RUN_FLAGS } from "../../src/config/flags.ts";
import { classify } from "../../src/gateway/classify.ts";
import type { ImdsOptions } from "../../src/sim/imds.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { parseAnswer, rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { GOOD_TOKEN, testImds, testSts } from "../support/sims.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { openRequest } from "./open-request.ts";

const NOW = "Tue, 24 Nov 2026 02:00:00 GMT";
const BASE = { accessKeyId: "AKIATEST", secretAccessKey: "base", sessionToken: undefined, expiresAt: undefined, source: "environment" };
const IAM = "/latest/meta-data/iam";
const OWN_TARGETS = [IAM, `${IAM}/info`, `${IAM}/security-credentials/`, `${IAM}/security-credentials/web-role`];

/** The service's page, written down here once more and byte for byte. */
const PAGE = [
  '<?xml version="1.0" encoding="iso-8859-1"?>',
  '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"',
  '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
  '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">',
  " <head>",
  "  <title>404 - Not Found</title>",
  " </head>",
  " <body>",
  "  <h1>404 - Not Found</h1>",
  " </body>",
  "</html>",
  "",
].join("\n");
const NOT_FOUND = `HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 337\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n${PAGE}`;

/** A gateway before an instance with a role of its own; the container `web` has `web-role`, unless told otherwise. */
async function startGateway(options: { readonly imds?: Partial<ImdsOptions>; readonly flags?: Readonly<Record<string, unknown>> } = {}) {
  const clock = handMovedClock();
  const imds = await testImds({ clock, role: SIM_INSTANCE_ROLE, ...options.imds });
  const sts = await testSts({ clock });
  const flags = {
    upstream: `http://127.0.0.1:${imds.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    workload: ["web=127.0.0.1"],
    bind: ["name:web=team/web-role"],
    ...options.flags,
  };
  const daemon = await startTestDaemon(flags, { clock, operatorCredentials: async () => BASE });
  imds.forget();
  return { imds, clock, endpoint: daemon.endpoint, ask: async (request: string) => textOf(await rawRequest(daemon.endpoint, request)) };
}

function textOf({ bytes }: { readonly bytes: Buffer }): string {
  return bytes.toString("latin1");
}

function request(target: string, { method = "GET", lines = [] }: { readonly method?: string; readonly lines?: readonly string[] } = {}): string {
  return [`${method} ${target} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
}

describe("an answer made here", () => {
  test("has these fields in this order, and nothing else (H1)", async () => {
    const { ask } = await startGateway();
    const common = `Content-Type: text/plain\r\nAccept-Ranges: none\r\nLast-Modified: ${NOW}\r\nContent-Length: 8\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\nweb-role`;
    expect(await ask(request(`${IAM}/security-credentials`))).toBe(`HTTP/1.1 200 OK\r\n${common}`);
    const withToken = request(`${IAM}/security-credentials`, { lines: [`X-aws-ec2-metadata-token: ${GOOD_TOKEN}`] });
    expect(await ask(withToken)).toBe(`HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21518\r\n${common}`);
  });

  test.for(OWN_TARGETS)("is the same with and without a slash at the end, and never a redirect: %s (L1)", async (target) => {
    const { ask } = await startGateway();
    const bare = target.replace(/\/$/, "");
    const answer = await ask(request(bare));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await ask(request(`${bare}/`))).toBe(answer);
  });

  test.for(OWN_TARGETS)("has the same head for HEAD, with the real length, and no body: %s (M1)", async (target) => {
    const { ask } = await startGateway();
    const whole = await ask(request(target));
    const head = whole.slice(0, whole.indexOf("\r\n\r\n") + 4);
    expect(await ask(request(target, { method: "HEAD" }))).toBe(head);
    expect(head).toContain(`\r\nContent-Length: ${whole.length - head.length}\r\n`);
  });

  test.for([
    { name: "a part", lines: ["Range: bytes=0-0"] },
    { name: "a condition", lines: ["If-Modified-Since: Wed, 25 Nov 2026 02:00:00 GMT", 'If-None-Match: "x"', "If-Match: *"] },
    { name: "another type or coding", lines: ["Accept: application/json", "Accept-Encoding: gzip, identity;q=0"] },
    { name: "keep-alive", lines: ["Connection: keep-alive", "Keep-Alive: timeout=5"] },
    { name: "another protocol", lines: ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"] },
    { name: "another method", lines: ["X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT"] },
    { name: "another path", lines: ["X-Original-URL: /latest/user-data", "X-Rewrite-URL: /latest/user-data"] },
    { name: "another host", lines: ["X-Forwarded-Host: b"] },
  ])("is the same when $name is asked for (H2, H5, H6, M3)", async ({ lines }) => {
    const { ask } = await startGateway();
    for (const target of OWN_TARGETS) expect(await ask(request(target, { lines }))).toBe(await ask(request(target)));
  });

  test("is of the container's role, never of the instance's: listing, info, document (P2)", async () => {
    const { ask, imds } = await startGateway();
    const bodies = await Promise.all(OWN_TARGETS.map(async (target) => parseAnswer(Buffer.from(await ask(request(target)))).body.toString()));
    expect(bodies[0]).toBe("info\nsecurity-credentials/");
    expect(JSON.parse(bodies[1] ?? "")).toMatchObject({ InstanceProfileArn: "arn:aws:iam::111122223333:instance-profile/web-role" });
    expect(bodies[2]).toBe("web-role");
    expect(Object.keys(JSON.parse(bodies[3] ?? ""))).toEqual([
      ...["Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"],
    ]);
    expect(bodies.join("\n")).not.toMatch(/HOST|host-role/);
    expect(new Set(imds.requests.map(({ target }) => target))).toEqual(new Set(["/latest/meta-data/instance-id"]));
  });

  test("is not made for the instance's own role's name, nor for the container's in another case (P2)", async () => {
    const { ask } = await startGateway();
    for (const name of ["host-role", "Web-Role", "web-rol", "web-role%2B", "team"]) {
      expect(await ask(request(`${IAM}/security-credentials/${name}`))).toBe(NOT_FOUND);
    }
  });
});

describe("a container without a role", () => {
  test.for(OWN_TARGETS)("gets 404, and never an empty listing: %s (L3, L6)", async (target) => {
    const { ask } = await startGateway({ flags: { bind: [] } });
    expect(await ask(request(target))).toBe(NOT_FOUND);
  });

  test.for(OWN_TARGETS)("gets the real 401 first: %s (P1, P2)", async (target) => {
    const { ask, imds } = await startGateway({ flags: { bind: [] } });
    const lines = ["X-aws-ec2-metadata-token: WRONG"];
    const real = textOf(await rawRequest(imds.endpoint, request("/latest/meta-data/ami-id", { lines })));
    expect(real).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask(request(target, { lines }))).toBe(real);
  });
});

describe("the order of refusals on an own class: method, expectation, version, token (P1)", () => {
  const wrongToken = "X-aws-ec2-metadata-token: WRONG";
  const rows = [
    { name: "a method before an expectation, a version and a token", method: "PUT", target: "/x!/meta-data/iam", lines: ["Expect: 100-continue", wrongToken], status: 405 },
    { name: "an expectation before a version and a token", method: "GET", target: "/x!/meta-data/iam", lines: ["Expect: 100-continue", wrongToken], status: 417 },
    { name: "a version before a token", method: "GET", target: "/x!/meta-data/iam", lines: [wrongToken], status: 404 },
  ];
  test.for(rows)("$name: $status, without a probe (M2, M5)", async ({ method, target, lines, status }) => {
    const { ask, imds } = await startGateway({ imds: { tokenUse: "required" } });
    expect(parseAnswer(Buffer.from(await ask(request(target, { method, lines })))).status).toBe(status);
    expect(imds.requests).toEqual([]);
  });
});

describe("a method or an expectation that an own class does not have", () => {
  const METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "Head", "GETX"];
  test.for(METHODS)("%s is 405, empty, without a probe and never forwarded (M2, M3)", async (method) => {
    const { ask, imds } = await startGateway();
    const refusal = `HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`;
    for (const target of OWN_TARGETS) expect(await ask(request(target, { method }))).toBe(refusal);
    expect(imds.requests).toEqual([]);
  });

  test.for(["100-continue", "more", ""])("Expect: %j is 417, empty, before the probe, and no 100 Continue (M5)", async (expectation) => {
    const { ask, imds } = await startGateway();
    const refusal = `HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`;
    for (const target of OWN_TARGETS) expect(await ask(request(target, { lines: [`Expect: ${expectation}`] }))).toBe(refusal);
    expect(imds.requests).toEqual([]);
  });
});

describe("what never leaves the host", () => {
  const withheld = [
    { name: "guarded", target: "/latest/meta-data/iam/security-credentials-extended/" },
    { name: "guarded by another case", target: "/latest/meta-data/IAM/info" },
    { name: "ambiguous by dots", target: "/latest/x/../meta-data/iam/info" },
    { name: "ambiguous by an escape", target: "/latest/meta-data%2Fiam/info" },
    { name: "ambiguous by a parameter", target: "/latest/meta-data/ami-id;x" },
    { name: "denied", target: "/latest/meta-data/identity-credentials/ec2/info" },
  ];
  test.for(withheld)("$name is the service's own 404, byte for byte, whatever the method and the token (C7, P3, P4, E4)", async ({ target }) => {
    const { ask, imds } = await startGateway({ imds: { behaviour: "victim", tokenUse: "required" } });
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get"]) {
      expect(await ask(request(target, { method, lines: ["X-aws-ec2-metadata-token: WRONG"] }))).toBe(NOT_FOUND);
    }
    expect(await ask(request(target, { method: "HEAD" }))).toBe(NOT_FOUND.slice(0, -PAGE.length));
    expect(imds.requests).toEqual([]);
  });

  test("the page has 337 bytes, and is what the embedded service says of an item that is not there (E4)", async () => {
    const { ask, imds } = await startGateway();
    const real = textOf(await rawRequest(imds.endpoint, request("/latest/meta-data/nothing")));
    expect(PAGE.length).toBe(337);
    expect(await ask(request("/latest/meta-data/iam/nothing"))).toBe(NOT_FOUND);
    expect(parseAnswer(Buffer.from(real)).body.toString()).toBe(PAGE);
  });
});

describe("a refusal of ours other than 404 has no body (F7)", () => {
  const rows = [
    { status: "400 Bad Request", text: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
    { status: "400 Bad Request", text: request("/%zz") },
    { status: "413 Content Too Large", text: request("/latest/user-data", { method: "PUT", lines: ["Content-Length: 65537"] }) },
    { status: "414 URI Too Long", text: request(`/${"a".repeat(9_000)}`) },
    { status: "431 Request Header Fields Too Large", text: request("/", { lines: Array.from({ length: 100 }, (_, k) => `X${k}: 1`) }) },
  ];
  test.for(rows)("$status", async ({ status, text }) => {
    const { ask } = await startGateway();
    expect(await ask(text)).toBe(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`);
  });

  test("413 for chunks that come to more than 64 KiB, of which nothing is forwarded (R2, R4)", async () => {
    const { ask, imds } = await startGateway();
    const chunks = `8000\r\n${"a".repeat(32_768)}\r\n`.repeat(2);
    const text = `${request("/latest/user-data", { method: "PUT", lines: ["Transfer-Encoding: chunked"] })}${chunks}0\r\n\r\n`;
    expect(await ask(text)).toMatch(/^HTTP\/1\.1 413 Content Too Large\r\nContent-Length: 0\r\n/);
    expect(imds.requests).toEqual([]);
  });

  test("500 where STS cannot be reached (N6)", async () => {
    const { ask } = await startGateway({ flags: { "sts-endpoint": "http://127.0.0.1:9" } });
    const answer = await ask(request(`${IAM}/security-credentials/web-role`));
    expect(answer).toMatch(/^HTTP\/1\.1 500 Internal Server Error\r\nContent-Length: 0\r\n[^]*\r\n\r\n$/);
  });
});

describe("a token request", () => {
  test("gets a token of 56 bytes without a newline, and its TTL once more (T1)", async () => {
    const { ask } = await startGateway();
    const answer = parseAnswer(Buffer.from(await ask(request("/latest/api/token", { method: "PUT", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 21600"] }))));
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.fields)).toMatchObject({ "Content-Type": "text/plain", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600" });
    expect(answer.body.toString()).toMatch(/^[\w=-]{56}$/);
  });

  test.for([
    { name: "a TTL too long", method: "PUT", target: "/latest/api/token", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 21601"], status: 400 },
    { name: "no TTL", method: "PUT", target: "/latest/api/token", lines: [], status: 400 },
    { name: "a dated version", method: "PUT", target: "/2021-03-23/api/token", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60"], status: 403 },
    { name: "X-Forwarded-For", method: "PUT", target: "/latest/api/token", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60", "X-Forwarded-For:"], status: 403 },
    { name: "Expect", method: "PUT", target: "/latest/api/token", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60", "Expect: 100-continue"], status: 417 },
    { name: "GET", method: "GET", target: "/latest/api/token", lines: [], status: 405 },
  ])("gets the service's own refusal for $name: $status (T3)", async ({ method, target, lines, status }) => {
    const { ask, imds } = await startGateway();
    const text = request(target, { method, lines });
    const real = textOf(await rawRequest(imds.endpoint, text));
    expect(parseAnswer(Buffer.from(real)).status).toBe(status);
    expect(await ask(text)).toBe(real);
  });
});

test("a 101 of the upstream is no answer: the connection is closed (H6, R5)", async () => {
  const upstream = await startRawUpstream(() => answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nHELLO"));
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
  const lines = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"];
  expect((await rawRequest(daemon.endpoint, request("/latest/user-data", { lines }))).bytes.toString()).toBe("");
});

test("our side of the connection ends after the answer, while the client's may stay open, and what it still sends is dropped (H2, R3)", async () => {
  const { endpoint, clock, imds } = await startGateway();
  const open = openRequest(endpoint, `${request("/latest/user-data", { lines: ["Connection: keep-alive"] })}${request("/latest/meta-data/ami-id")}`);
  expect(await open.ending).toBe("end");
  expect(open.received().toString().match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(imds.requests.map(({ target }) => target)).toEqual(["/latest/user-data"]);
  clock.advance(2_000);
});

test("one function of target and denied paths tells one of the eleven classes, and the same one each time (C8, C10)", () => {
  const classes = ["PASS", "TOKEN", "META_LIST", "IAM_ROOT", "IAM_INFO", "CRED_LIST", "CRED_DOC", "GUARD", "DENY", "AMBIGUOUS", "BAD"];
  const piece = fc.constantFrom(..."/ ? # % ; \\ . .. iam info latest meta-data api/token security-credentials identity-credentials r %2e %69".split(" "));
  const targets = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.array(piece, { maxLength: 10 }).map((pieces) => `/${pieces.join("/")}`));
  const seen = new Set<string>();
  fc.assert(
    fc.property(targets, fc.constantFrom([], [["user-data"]]), (target, denied) => {
      const first = classify(target, denied);
      seen.add(first.class);
      expect(classes).toContain(first.class);
      expect(classify(target, denied)).toEqual(first);
    }),
    { numRuns: 3_000, seed: 7 },
  );
  expect(seen.size).toBeGreaterThan(7);
});

test("the help of --deny-path says what denying the identity document breaks, and what leaving it open lets a container do (P7)", () => {
  const help = RUN_FLAGS.find(({ name }) => name === "deny-path")?.help ?? "";
  for (const word of ["dynamic/instance-identity", "Go SDK v1", "Beats", "Vault's EC2 login", "lets a container log in to Vault as this instance"]) {
    expect(help).toContain(word);
  }
});
