import { once } from "node:events";
import net from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { until } from "./open-request.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
const GET = "GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: a\r\n\r\n";
const CREDENTIALS = "GET /latest/meta-data/iam/security-credentials/web-role HTTP/1.1\r\nHost: a\r\n\r\n";
const TOKEN_PUT = "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";

async function startUpstreamThatIsDown(): Promise<string> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 1}`;
}

function connectTo(endpoint: { host: string; port: number }) {
  const socket = net.connect(endpoint);
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** In order or with a reset: the other side has closed. */
function closeOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()).resume());
}

describe("while the upstream is down", () => {
  test.for([
    { name: "an ordinary item", request: GET },
    { name: "an IMDS token", request: TOKEN_PUT },
  ])("$name closes the connection without an answer: a 502 would turn SDKs to IMDSv1 (T4, R5)", async ({ request }) => {
    const daemon = await startTestDaemon({ upstream: await startUpstreamThatIsDown() });
    expect((await rawRequest(daemon.endpoint, request)).bytes.length).toBe(0);
  });

  test("the IAM tree is 500, not 404", async () => {
    const daemon = await startTestDaemon({
      upstream: await startUpstreamThatIsDown(),
      workload: ["web=127.0.0.1"],
      bind: ["name:web=web-role"],
    });
    expect((await rawRequest(daemon.endpoint, CREDENTIALS)).bytes.toString()).toMatch(
      /^HTTP\/1\.1 500 Internal Server Error\r\nContent-Length: 0\r\n/,
    );
  });
});

describe("time", () => {
  test("a head that is not whole after 10 s ends the connection", async () => {
    const clock = handMovedClock();
    const daemon = await startTestDaemon({}, { clock });
    const socket = connectTo(daemon.endpoint);
    socket.write("GET /latest/");
    await until(() => clock.untilNext() === 10_000);
    clock.advance(10_000);
    await closeOf(socket);
  });

  test("an upstream without a first byte after 5 s ends the connection without an answer (R7)", async () => {
    const clock = handMovedClock();
    const upstream = await startRawUpstream(() => () => {});
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` }, { clock });
    const answer = rawRequest(daemon.endpoint, GET);
    await until(() => upstream.received.some((bytes) => bytes.length > 0) && clock.untilNext() === 5_000);
    clock.advance(5_000);
    expect((await answer).bytes.length).toBe(0);
    await upstream.closed(0);
  });
});

describe("a client that goes away", () => {
  test("cancels its request at the upstream (R6)", async () => {
    const upstream = await startRawUpstream(() => () => {});
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
    const socket = connectTo(daemon.endpoint);
    socket.write(GET);
    await until(() => upstream.received.length === 1);
    socket.resetAndDestroy();
    await upstream.closed(0);
  });

  test("but has only finished sending still gets its answer", async () => {
    const upstream = await startRawUpstream(() => answering(OK));
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
    const socket = connectTo(daemon.endpoint);
    socket.end(GET);
    const pieces: Buffer[] = [];
    for await (const piece of socket) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe(OK);
  });
});

test("a bug ends that request alone: 500 on the IAM tree, no answer elsewhere, and its message reaches nobody", async () => {
  const broken = () => {
    throw new Error("SECRET-INNER-MESSAGE");
  };
  const daemon = await startTestDaemon({ unknown: "deny", workload: ["web=127.0.0.1"], bind: ["name:web=web-role"] }, { connect: broken });
  const first = await rawRequest(daemon.endpoint, CREDENTIALS);
  const second = await rawRequest(daemon.endpoint, GET);
  expect(first.bytes.toString()).toMatch(/^HTTP\/1\.1 500 /);
  expect(first.bytes.toString()).not.toContain("SECRET");
  expect(second.bytes.length).toBe(0);
});

describe("a source that is no known workload", () => {
  test("gets metadata and no role (X8)", async () => {
    const upstream = await startRawUpstream(() => answering(OK));
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}`, "default-role": "web-role" });
    expect((await rawRequest(daemon.endpoint, GET)).bytes.toString()).toBe(OK);
    expect((await rawRequest(daemon.endpoint, CREDENTIALS)).bytes.toString()).toMatch(/^HTTP\/1\.1 404 /);
  });

  test("gets nothing with --unknown deny: 404, and no answer at all to a token PUT (T12)", async () => {
    const upstream = await startRawUpstream(() => answering(OK));
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}`, unknown: "deny" });
    expect((await rawRequest(daemon.endpoint, GET)).bytes.toString()).toMatch(/^HTTP\/1\.1 404 /);
    expect((await rawRequest(daemon.endpoint, CREDENTIALS)).bytes.toString()).toMatch(/^HTTP\/1\.1 404 /);
    expect((await rawRequest(daemon.endpoint, TOKEN_PUT)).bytes.length).toBe(0);
    expect(upstream.received).toEqual([]);
  });
});

describe("limits", () => {
  test("the 65th connection of an address is closed at once, and told", async () => {
    const daemon = await startTestDaemon({ workload: ["web=127.0.0.1"] });
    const held = Array.from({ length: 64 }, () => connectTo(daemon.endpoint));
    await Promise.all(held.map((socket) => once(socket, "connect")));
    const socket = connectTo(daemon.endpoint);
    await closeOf(socket);
    expect(daemon.events.at(-1)).toEqual({ kind: "connection-refused", address: "127.0.0.1", reason: "workload-limit", count: 1 });
  });

  test("those that follow are told with their number, at a stop at once", async () => {
    const daemon = await startTestDaemon({ workload: ["web=127.0.0.1"] });
    const held = Array.from({ length: 64 }, () => connectTo(daemon.endpoint));
    await Promise.all(held.map((socket) => once(socket, "connect")));
    for (let k = 0; k < 4; k++) await closeOf(connectTo(daemon.endpoint));
    await daemon.stop();
    const counts = daemon.events.flatMap((event) => (event.kind === "connection-refused" ? [event.count] : []));
    expect(counts).toEqual([1, 3]);
  });
});

describe("stopping", () => {
  test("lets an answer in flight end, and accepts no more", async () => {
    const held = Promise.withResolvers<net.Socket>();
    const upstream = await startRawUpstream(() => (socket) => held.resolve(socket));
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
    const answer = rawRequest(daemon.endpoint, GET);
    const socket = await held.promise;
    const stopped = daemon.stop();
    socket.end(OK);
    expect((await answer).bytes.toString()).toBe(OK);
    await stopped;
    expect(await rawRequest(daemon.endpoint, GET)).toEqual({ bytes: Buffer.alloc(0), ending: "reset" });
  });

  test("closes what is still open after 5 s", async () => {
    const clock = handMovedClock();
    const upstream = await startRawUpstream(() => () => {});
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` }, { clock });
    const answer = rawRequest(daemon.endpoint, GET);
    await until(() => upstream.received.length === 1 && clock.untilNext() !== undefined);
    const stopped = daemon.stop();
    await until(() => clock.untilNext() === 5_000);
    clock.advance(5_000);
    await stopped;
    expect((await answer).bytes.length).toBe(0);
  });
});

test("a port that is taken is a clear error", async () => {
  const taken = await startTestDaemon({});
  const again = startTestDaemon({ listen: [`127.0.0.1:${taken.endpoint.port}`] });
  await expect(again).rejects.toThrow(ImdsgateError);
  await expect(again).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+.*another program has that port/);
});

test("the audit line of a refusal names the workload also where the path alone decided", async () => {
  const daemon = await startTestDaemon({ workload: ["web=127.0.0.1"] });
  await rawRequest(daemon.endpoint, "GET /latest/x/../meta-data/iam HTTP/1.1\r\nHost: a\r\n\r\n");
  await rawRequest(daemon.endpoint, "no request\r\n\r\n");
  await until(() => daemon.events.filter(({ kind }) => kind === "refuse").length === 2);
  const refusals = daemon.events.flatMap((event) => (event.kind === "refuse" ? [[event.reason, event.workload?.name, event.status]] : []));
  expect(refusals).toEqual([
    ["ambiguous-path", "web", 404],
    ["malformed", "web", 400],
  ]);
});

test("a token PUT that waits to be told to go on is forwarded by its head alone, and gets the real refusal (M5)", async () => {
  const refusal = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  const upstream = await startRawUpstream(() => answering(refusal));
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
  const head = "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  expect((await rawRequest(daemon.endpoint, head)).bytes.toString()).toBe(refusal);
  expect(upstream.received.map(String)).toEqual([head]);
});
