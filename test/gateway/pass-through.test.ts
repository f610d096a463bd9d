import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { type Behaviour, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { openRequest, turns, until } from "./open-request.ts";

/** Every byte that there is, twice: as text, and where a line might end. */
const BINARY = `${Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("")}\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n\r\n0\r\n\r\n`;
const CHUNK = BINARY.length.toString(16);

const ANSWERS = [
  { name: "a binary body with its length", raw: `HTTP/1.1 200 OK\r\nContent-Length: ${BINARY.length}\r\n\r\n${BINARY}` },
  {
    name: "a chunked binary body with an extension and a trailer",
    raw: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNK};a=b\r\n${BINARY}\r\n1\r\n\0\r\n0\r\nX-T: 1\r\n\r\n`,
  },
  { name: "a binary body that ends with the connection", raw: `HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\n${BINARY}` },
  { name: "an HTTP/1.0 body that ends with the connection", raw: `HTTP/1.0 200 OK\r\n\r\n${BINARY}` },
  { name: "an empty body", raw: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
  {
    name: "the answer to HEAD, with the length of what it leaves out",
    method: "HEAD",
    raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
  },
  { name: "the answer to HEAD that says chunked", method: "HEAD", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
  { name: "a 204", raw: "HTTP/1.1 204 No Content\r\nServer: EC2ws\r\n\r\n" },
  { name: "a 304 with a length", raw: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 50\r\n\r\n' },
  { name: "a 206", raw: "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\n\0\xff" },
  { name: "a 103 before the 200", raw: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" },
  ...[301, 400, 401, 403, 404, 405, 410, 417, 429, 500, 501, 502, 503, 504].map((status) => ({
    name: `a ${status} with a body`,
    raw: `HTTP/1.1 ${status} As It Came\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\n${status}\r\n`,
  })),
];

function get(method = "GET"): string {
  return `${method} /latest/user-data HTTP/1.1\r\nHost: a\r\n\r\n`;
}

const TOKEN_PUT = "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
const LISTING = "GET /latest/meta-data/ HTTP/1.1\r\nHost: a\r\n\r\n";

async function startGateway(behave: () => Behaviour, world: Parameters<typeof startTestDaemon>[1] = {}) {
  const upstream = await startRawUpstream(behave);
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` }, world);
  return { upstream, daemon };
}

/** Answers in pieces of `size` bytes, each after the one before has gone out, and closes. */
function inPiecesOf(size: number, raw: string): Behaviour {
  let hasBegun = false;
  return async (socket) => {
    if (hasBegun) return;
    hasBegun = true;
    for (let at = 0; at < raw.length; at += size) {
      socket.write(raw.slice(at, at + size), "latin1");
      await turns(1);
    }
    socket.end();
  };
}

describe("an answer reaches the client byte for byte, however it comes (H3)", () => {
  for (const size of [1, 7, Number.POSITIVE_INFINITY]) {
    test.for(ANSWERS)(`$name, in pieces of ${size}`, async ({ raw, method }) => {
      const { daemon } = await startGateway(() => inPiecesOf(size, raw));
      const answer = await rawRequest(daemon.endpoint, get(method));
      expect(answer).toEqual({ bytes: Buffer.from(raw, "latin1"), ending: "end" });
    });
  }

  test("the body of a request too, with every byte that there is (H4)", async () => {
    const { daemon, upstream } = await startGateway(() => inPiecesOf(99, "HTTP/1.1 204 No Content\r\n\r\n"));
    const request = `PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${BINARY.length}\r\n\r\n${BINARY}`;
    await rawRequest(daemon.endpoint, request);
    expect(upstream.received.map((one) => one.toString("latin1"))).toEqual([request]);
  });
});

const FAULTS: readonly { readonly name: string; readonly strike: (socket: Socket) => void }[] = [
  { name: "closes", strike: (socket) => void socket.end() },
  { name: "resets", strike: (socket) => void socket.resetAndDestroy() },
];

describe("an upstream that ends in the middle of its head: no answer, and never a 502 of our own (R5)", () => {
  const beginnings = ["", "H", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"];
  const rows = beginnings.flatMap((sent) =>
    FAULTS.flatMap((fault) => [get(), TOKEN_PUT, LISTING].map((request) => ({ ...fault, sent, request }))),
  );
  test.for(rows)("$name after $sent.length bytes", async ({ sent, strike, request }) => {
    const { daemon } = await startGateway(() => async (socket) => {
      socket.write(sent);
      await turns();
      strike(socket);
    });
    expect((await rawRequest(daemon.endpoint, request)).bytes.toString()).toBe("");
  });

  test.for([
    { name: "no HTTP at all", sent: "\x16\x03\x01 SSH-2.0-x\r\n\r\n" },
    { name: "a status line of another protocol", sent: "HTTP/2 200\r\n\r\n" },
    { name: "a status of two digits", sent: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n" },
    { name: "a field without a colon", sent: "HTTP/1.1 200 OK\r\nContent-Length 0\r\n\r\n" },
    { name: "a folded field", sent: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n" },
    { name: "two lengths", sent: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
    { name: "a length that is none", sent: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab" },
    { name: "a length and chunks", sent: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    { name: "an unknown encoding", sent: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab" },
    { name: "a head that never ends", sent: `HTTP/1.1 200 OK\r\n${`X: ${"a".repeat(1_000)}\r\n`.repeat(80)}` },
  ])("says $name", async ({ sent }) => {
    const { daemon } = await startGateway(() => (socket) => void socket.write(sent, "latin1"));
    expect((await rawRequest(daemon.endpoint, get())).bytes.toString()).toBe("");
  });

  test.for(["", "HTTP/1.1 200 OK\r\nContent-"])("stalls after %j: 5 s for the whole head (R7)", async (sent) => {
    const clock = handMovedClock();
    const { daemon, upstream } = await startGateway(() => (socket) => void socket.write(sent), { clock });
    const request = openRequest(daemon.endpoint, get());
    await until(() => upstream.received.length === 1 && clock.untilNext() === 5_000);
    await turns();
    clock.advance(4_999);
    await turns();
    expect(request.socket.closed).toBe(false);
    clock.advance(1);
    await request.ending;
    expect(request.received().toString()).toBe("");
    await upstream.closed(0);
  });
});

const BROKEN_BODIES = [
  { name: "a body with its length", sent: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n\0\xffab" },
  { name: "a chunked body", sent: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n5\r\nab" },
  { name: "a chunked body before its last chunk", sent: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n" },
  { name: "a chunked body in its trailer", sent: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n" },
];
const UNTIL_CLOSE = { name: "a body that ends with the connection", sent: "HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\nabc" };

/** What the client has when the upstream sent `sent` and `strike` came after that had arrived. */
async function afterStrike(sent: string, strike: (socket: Socket) => void) {
  const held = Promise.withResolvers<Socket>();
  const { daemon } = await startGateway(() => (socket) => {
    socket.write(sent, "latin1");
    held.resolve(socket);
  });
  const request = openRequest(daemon.endpoint, get());
  await until(() => request.received().length === sent.length);
  strike(await held.promise);
  const ending = await request.ending;
  await until(() => daemon.events.some(({ kind }) => kind === "relay"));
  const told = daemon.events.flatMap((event) => (event.kind === "relay" ? [event.outcome] : []));
  return { text: request.received().toString("latin1"), ending, told };
}

describe("an upstream that fails in the middle of a body: what came is authentic, and the connection is reset (R5)", () => {
  const [, reset] = FAULTS;
  const rows = [
    ...BROKEN_BODIES.flatMap((body) => FAULTS.map((fault) => ({ body, ...fault }))),
    ...(reset ? [{ body: UNTIL_CLOSE, ...reset }] : []),
  ];
  test.for(rows)("$name in $body.name", async ({ body: { sent }, strike }) => {
    expect(await afterStrike(sent, strike)).toEqual({ text: sent, ending: "reset", told: ["cut"] });
  });

  test.for(["x\r\n", "-1\r\n", "5 \r\n", "1\n", "\r\n", "123456789\r\n"])("sends %j for the size of a chunk", async (garbage) => {
    const [, , { sent = "" } = {}] = BROKEN_BODIES;
    const { text, ending } = await afterStrike(sent, (socket) => void socket.write(garbage));
    expect(ending).toBe("reset");
    expect(`${sent}${garbage}`.startsWith(text)).toBe(true);
  });

  test.for([...BROKEN_BODIES, UNTIL_CLOSE])("stalls for 10 s in $name", async ({ sent }) => {
    const clock = handMovedClock();
    const { daemon, upstream } = await startGateway(() => (socket) => void socket.write(sent, "latin1"), { clock });
    const request = openRequest(daemon.endpoint, get());
    await until(() => request.received().length === sent.length && clock.untilNext() === 10_000);
    clock.advance(9_999);
    await turns();
    expect(request.socket.closed).toBe(false);
    clock.advance(1);
    expect([await request.ending, request.received().toString("latin1")]).toEqual(["reset", sent]);
    await upstream.closed(0);
  });

  test("a listing that would be edited is not begun before it is whole", async () => {
    const { daemon } = await startGateway(() => (socket) => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\nami-id\n");
    });
    expect((await rawRequest(daemon.endpoint, LISTING)).bytes.toString()).toBe("");
  });

  test.for([
    { name: "surplus behind the body", raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", surplus: "HTTP/1.1 200 OK\r\n\r\nLEAK" },
    { name: "surplus behind the last chunk", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", surplus: "LEAK" },
    { name: "a body behind a 204", raw: "HTTP/1.1 204 No Content\r\n\r\n", surplus: "LEAK" },
    { name: "a body behind a 304", raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", surplus: "LEAK" },
    { name: "a body behind the answer to HEAD", raw: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", surplus: "LEAK", method: "HEAD" },
  ])("$name is no part of the answer", async ({ raw, surplus, method }) => {
    const { daemon } = await startGateway(() => (socket) => void socket.end(`${raw}${surplus}`));
    expect(await rawRequest(daemon.endpoint, get(method))).toEqual({ bytes: Buffer.from(raw), ending: "end" });
  });
});

describe("a client that goes away in the middle (R6)", () => {
  test.for([
    { name: "with a reset", leave: (socket: Socket) => void socket.resetAndDestroy() },
    { name: "in order", leave: (socket: Socket) => void socket.destroy() },
  ])("$name: the upstream's connection ends, however much it still has to say", async ({ leave }) => {
    const { daemon, upstream } = await startGateway(() => (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\n");
      const block = Buffer.alloc(65_536, "x");
      const pump = () => {
        while (!socket.destroyed && socket.write(block));
      };
      socket.on("drain", pump);
      pump();
    });
    const request = openRequest(daemon.endpoint, get());
    await until(() => request.received().length > 1_000);
    leave(request.socket);
    await upstream.closed(0);
    await until(() => daemon.events.some(({ kind }) => kind === "relay"));
    expect(daemon.events.flatMap((event) => (event.kind === "relay" ? [event.outcome] : []))).toEqual(["cut"]);
  });

  test("before its body is whole: nothing reaches the upstream (R2)", async () => {
    const { daemon, upstream } = await startGateway(() => () => {});
    const request = openRequest(daemon.endpoint, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
    await turns();
    request.socket.resetAndDestroy();
    await until(() => daemon.events.some(({ kind }) => kind === "refuse"));
    expect(upstream.received).toEqual([]);
  });
});

describe("a gateway that is stopped in the middle of a body", () => {
  test.for([...BROKEN_BODIES, UNTIL_CLOSE])("resets it after 5 s, so that nobody takes it for whole: $name (R5)", async ({ sent }) => {
    const clock = handMovedClock();
    const { daemon } = await startGateway(() => (socket) => void socket.write(sent, "latin1"), { clock });
    const request = openRequest(daemon.endpoint, get());
    await until(() => request.received().length === sent.length);
    const stopped = daemon.stop();
    await until(() => clock.untilNext() === 5_000);
    clock.advance(5_000);
    await stopped;
    expect([await request.ending, request.received().toString("latin1")]).toEqual(["reset", sent]);
  });
});
