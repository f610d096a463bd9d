import { once } from "node:events";
import net from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Endpoint } from "../../src/address.ts";
import wire from "../contract/wire.json" with { type: "json" };
import { answering, type RawUpstream, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { openRequest, turns } from "./open-request.ts";

/** Connections at once: all of them, and those that linger, share the 64 of an unknown address. */
const AT_ONCE = 24;
/** Cuts of one head at most. */
const CUTS = 60;
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

interface Verdict {
  /** What came back, `Date` aside. */
  readonly answer: string;
  readonly ending: "end" | "reset";
}

async function startGateway() {
  const upstream = await startRawUpstream(() => answering(ANSWER));
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
  return { upstream, endpoint: daemon.endpoint };
}

/** Sends `pieces` one after the other: each has arrived before the next one goes out. */
async function verdictOn(endpoint: Endpoint, pieces: readonly Buffer[]): Promise<Verdict> {
  const [first = Buffer.alloc(0), ...others] = pieces;
  const request = openRequest(endpoint, first);
  for (const piece of others) {
    await turns(4);
    if (!request.socket.destroyed) request.socket.write(piece);
  }
  const ending = await request.ending;
  request.socket.destroy();
  return {
    answer: request
      .received()
      .toString("latin1")
      .replace(/^Date: .*$/m, "Date: …"),
    ending,
  };
}

/** Positions to cut `length` bytes at: every one, or evenly spread ones and those at both ends. */
function cutsOf(length: number): readonly number[] {
  const step = Math.max(1, Math.floor(length / CUTS));
  const spread = Array.from({ length: Math.floor((length - 1) / step) }, (_, k) => (k + 1) * step);
  return [...new Set([...spread, 1, 2, 3, length - 3, length - 2, length - 1])].filter((cut) => cut > 0 && cut < length);
}

async function verdictsOn(endpoint: Endpoint, cuttings: readonly (readonly Buffer[])[]): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (let at = 0; at < cuttings.length; at += AT_ONCE) {
    verdicts.push(...(await Promise.all(cuttings.slice(at, at + AT_ONCE).map((pieces) => verdictOn(endpoint, pieces)))));
  }
  return verdicts;
}

/** All of wire.json that is sent to the gateway. */
const HEADS = [...wire.heads, ...wire.requests.map(({ name, raw }) => ({ name: `request ${name}`, raw }))];

describe("what comes in pieces is judged as what comes whole (R1, R2, R3)", () => {
  test.for(HEADS)("$name", async ({ raw }) => {
    const { upstream, endpoint } = await startGateway();
    const bytes = Buffer.from(raw, "latin1");
    const whole = await verdictOn(endpoint, [bytes]);
    const forwarded = arrivedAt(upstream);
    const cuts = cutsOf(bytes.length);
    const cuttings = cuts.map((cut) => [bytes.subarray(0, cut), bytes.subarray(cut)]);
    if (bytes.length <= 200) cuttings.push([...bytes].map((byte) => Buffer.of(byte)));

    const verdicts = await verdictsOn(endpoint, cuttings);
    expect(verdicts.map((verdict, k) => [cuts[k] ?? "each byte", verdict])).toEqual(
      cuttings.map((_, k) => [cuts[k] ?? "each byte", whole]),
    );
    const allowed = [...forwarded, ...forwarded.filter(isExpecting).map(headOf)];
    const seen = arrivedAt(upstream);
    expect(seen.length).toBe(forwarded.length * cuttings.length);
    expect(seen.filter((one) => !allowed.includes(one))).toEqual([]);
  });
});

/** What reached the upstream, as text; the list begins anew. The token probe (T7) is no part of a request, and is spared where its verdict is remembered. */
function arrivedAt(upstream: RawUpstream): readonly string[] {
  return upstream.received
    .splice(0)
    .map((one) => one.toString("latin1"))
    .filter((one) => !one.startsWith("GET /latest/meta-data/instance-id "));
}

/** Whoever sends `Expect` may be waiting to be told to go on: what has not come with the head is not waited for (M5). */
function isExpecting(request: string): boolean {
  return /^expect:/im.test(request);
}

function headOf(request: string): string {
  return request.slice(0, request.indexOf("\r\n\r\n") + 4);
}

test("the pieces really arrive one by one", async () => {
  const pieces: string[] = [];
  const server = net.createServer((socket) =>
    socket.on("data", (piece: Buffer) => pieces.push(piece.toString())).on("end", () => socket.end()),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const request = openRequest({ host: "127.0.0.1", port }, "G");
  for (const piece of "ET /x") {
    await turns(4);
    request.socket.write(piece);
  }
  await turns(4);
  request.socket.end();
  await request.ending;
  expect(pieces).toEqual([..."GET /x"]);
});
