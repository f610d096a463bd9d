import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { type Behaviour, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { openRequest, turns, until } from "./open-request.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
const HEAD = "HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\n";
const GET = "GET /latest/user-data HTTP/1.1\r\nHost: a\r\n\r\n";
const PUT = "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
const BLOCK = Buffer.alloc(65_536, "x");

async function startGateway(behave: () => Behaviour) {
  const clock = handMovedClock();
  const upstream = await startRawUpstream(behave);
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` }, { clock });
  return { clock, upstream, daemon };
}

/** Sends `bytes` bytes after a head that leaves their end to the connection's, as fast as they are taken, and tells how many were. */
function pouring(bytes: number): { readonly behave: () => Behaviour; poured(): number } {
  let left = bytes;
  const pour = (socket: Socket): void => {
    while (left > 0 && !socket.destroyed) {
      const piece = BLOCK.subarray(0, Math.min(left, BLOCK.length));
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
    if (left === 0) socket.end();
  };
  const behave = (): Behaviour => (socket) => {
    socket.write(HEAD);
    socket.on("drain", () => pour(socket));
    pour(socket);
  };
  return { behave, poured: () => bytes - left };
}

/** Resolves when `amount` has not grown for a long while. */
async function standstill(amount: () => number): Promise<void> {
  for (let before = -1; before !== amount(); ) {
    before = amount();
    await turns(500);
  }
}

describe("a client that is slow to say what it wants (R4)", () => {
  test("has 10 s for its head, and not 10 s for each byte of it", async () => {
    const { clock, daemon, upstream } = await startGateway(() => () => {});
    const request = openRequest(daemon.endpoint, "G");
    await until(() => clock.untilNext() === 10_000);
    for (let second = 0; second < 9; second++) {
      request.socket.write("E");
      await turns();
      clock.advance(1_000);
    }
    expect(clock.untilNext()).toBe(1_000);
    clock.advance(1_000);
    await request.ending;
    expect(request.received().toString()).toBe("");
    expect(upstream.received).toEqual([]);
  });

  test("may leave 10 s between two pieces of its body, however many there are", async () => {
    const { clock, daemon, upstream } = await startGateway(() => (socket, got) => void (got.length > PUT.length && socket.end(OK)));
    const request = openRequest(daemon.endpoint, PUT);
    for (const piece of ["a", "b", "c"]) {
      await until(() => clock.untilNext() === 10_000);
      clock.advance(9_999);
      await turns();
      request.socket.write(piece);
    }
    expect(await request.ending).toBe("end");
    expect(request.received().toString()).toBe(OK);
    expect(upstream.received.map(String)).toEqual([`${PUT}abc`]);
  });

  test.for(["", "a"])("and not more: nothing comes back, and nothing reaches the upstream after %j", async (begun) => {
    const { clock, daemon, upstream } = await startGateway(() => () => {});
    const request = openRequest(daemon.endpoint, `${PUT}${begun}`);
    await turns();
    await until(() => clock.untilNext() === 10_000);
    clock.advance(9_999);
    await turns();
    expect(request.socket.closed).toBe(false);
    clock.advance(1);
    await request.ending;
    expect(request.received().toString()).toBe("");
    expect(upstream.received).toEqual([]);
  });
});

describe("a client that is slow to read (R4)", () => {
  const MORE_THAN_THE_KERNEL_KEEPS = 64 * 1_048_576;

  test("is cut off when it has read nothing for 10 s, with a reset and not before", async () => {
    const { behave, poured } = pouring(MORE_THAN_THE_KERNEL_KEEPS);
    const { clock, daemon, upstream } = await startGateway(behave);
    const request = openRequest(daemon.endpoint, GET, { isPaused: true });
    await until(() => poured() > 0);
    await standstill(poured);
    expect(poured()).toBeLessThan(MORE_THAN_THE_KERNEL_KEEPS);
    expect(clock.untilNext()).toBe(10_000);
    clock.advance(9_999);
    await turns();
    expect(daemon.events.filter(({ kind }) => kind === "relay")).toEqual([]);
    clock.advance(1);
    await upstream.closed(0);
    request.socket.resume();
    expect(await request.ending).toBe("reset");
    expect(daemon.events.flatMap((event) => (event.kind === "relay" ? [event.outcome] : []))).toEqual(["cut"]);
  });

  // The end of a body may wait in the gateway while the kernel's buffers are full: sizes around the one at which that begins.
  test("has its 10 s at the end of a body too, and then the whole of it: no end in order before the end (R5)", async () => {
    let fits = 0;
    let tooLong = MORE_THAN_THE_KERNEL_KEEPS;
    while (tooLong - fits > 16_384) {
      const size = Math.floor((fits + tooLong) / 2);
      if (await isLingeringUnread(size)) fits = size;
      else tooLong = size;
    }
    const sizes = Array.from({ length: 64 }, (_, k) => fits + (k - 32) * 4_096);
    const outcomes = [];
    for (const size of sizes) outcomes.push(await readAfterPause(size));
    expect(outcomes).toEqual(sizes.map((size) => ({ size, received: size, ending: "end" })));
  });
});

/** A client that has asked for a body of `size` bytes and does not read; everything that can move has moved. */
async function unreadAnswer(size: number) {
  const { behave, poured } = pouring(size);
  const { clock, daemon } = await startGateway(behave);
  const request = openRequest(daemon.endpoint, GET, { isPaused: true });
  await until(() => poured() > 0);
  await standstill(poured);
  return { clock, request };
}

/** Whether the gateway is through with a body of `size` bytes although nobody has read it: it waits for the client's end alone, 2 s. */
async function isLingeringUnread(size: number): Promise<boolean> {
  const { clock, request } = await unreadAnswer(size);
  const isLingering = clock.untilNext() === 2_000;
  request.socket.destroy();
  return isLingering;
}

/** What a client has that reads nothing for 5 s of the gateway's time, and then all that comes. */
async function readAfterPause(size: number) {
  const { clock, request } = await unreadAnswer(size);
  for (let second = 0; second < 5; second++) {
    clock.advance(1_000);
    await turns();
  }
  request.socket.resume();
  const ending = await request.ending;
  return { size, received: request.received().length - HEAD.length, ending };
}

describe("a workload with all its connections open (R4)", () => {
  const held = (endpoint: { host: string; port: number }, sourceAddress: string) =>
    Array.from({ length: 64 }, () => openRequest(endpoint, "GET /held", { sourceAddress }));

  test("is closed without an answer at the 65th, and another workload is served", async () => {
    const upstream = await startRawUpstream(() => (socket) => void socket.end(OK));
    const workload = ["greedy=127.0.7.1", "modest=127.0.7.2"];
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}`, workload });
    held(daemon.endpoint, "127.0.7.1");
    const over = openRequest(daemon.endpoint, GET, { sourceAddress: "127.0.7.1" });
    const other = openRequest(daemon.endpoint, GET, { sourceAddress: "127.0.7.2" });
    await over.ending;
    expect(over.received().toString()).toBe("");
    expect([await other.ending, other.received().toString()]).toEqual(["end", OK]);
  });

  test("that all ask at once keeps another one's request waiting for a few of them, not for all", async () => {
    const daemon = await startTestDaemon({ workload: ["greedy=127.0.7.1", "modest=127.0.7.2"] });
    const ambiguous = "GET /latest/x/../meta-data HTTP/1.1\r\nHost: a\r\n\r\n";
    const greedy = Array.from({ length: 64 }, () => openRequest(daemon.endpoint, ambiguous, { sourceAddress: "127.0.7.1" }));
    const modest = openRequest(daemon.endpoint, ambiguous, { sourceAddress: "127.0.7.2" });
    await Promise.all([...greedy, modest].map(({ ending }) => ending));
    const served = daemon.events.flatMap((event) => (event.kind === "refuse" ? [event.address] : []));
    expect(served).toHaveLength(65);
    expect(served.indexOf("127.0.7.2")).toBeLessThan(20);
  });

  test("and all workloads together have 1,024; one that ends makes room", async () => {
    const upstream = await startRawUpstream(() => (socket) => void socket.end(OK));
    const addresses = Array.from({ length: 17 }, (_, k) => `127.0.8.${k + 1}`);
    const workload = addresses.map((address, k) => `w${k}=${address}`);
    const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}`, workload });
    const [first, ...others] = addresses.slice(0, 16).flatMap((address) => held(daemon.endpoint, address));
    const over = openRequest(daemon.endpoint, GET, { sourceAddress: "127.0.8.17" });
    await over.ending;
    expect(over.received().toString()).toBe("");
    expect(daemon.events.at(-1)).toEqual({ kind: "connection-refused", address: "127.0.8.17", reason: "total-limit", count: 1 });
    expect(others.filter(({ socket }) => socket.destroyed)).toEqual([]);
    first?.socket.destroy();
    await turns();
    const next = openRequest(daemon.endpoint, GET, { sourceAddress: "127.0.8.17" });
    expect([await next.ending, next.received().toString()]).toEqual(["end", OK]);
  });
});
