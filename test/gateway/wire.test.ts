import { describe, expect, test } from "vitest";
import wire from "../contract/wire.json" with { type: "json" };
import { rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";

const PLAIN_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

async function startGateway(behave: Parameters<typeof startRawUpstream>[0]) {
  const upstream = await startRawUpstream(behave);
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
  return { upstream, daemon };
}

function headOf(bytes: Buffer): { status: number; reason: string } {
  const [, status, reason = ""] = /^HTTP\/1\.1 (\d{3}) ([^\r]*)\r\n/.exec(bytes.toString("latin1")) ?? [];
  return { status: Number(status), reason };
}

describe("bytes on the socket that are no request", () => {
  const refused = wire.heads.filter(({ want }) => typeof want === "number");
  test.for(refused)("$name: $want, and nothing reaches the upstream", async ({ raw, want }) => {
    const { upstream, daemon } = await startGateway(() => answering(PLAIN_ANSWER));
    const { bytes } = await rawRequest(daemon.endpoint, raw);
    expect(headOf(bytes).status).toBe(want);
    expect(upstream.received).toEqual([]);
  });
});

describe("one connection is one request", () => {
  const surplus = wire.heads.filter(({ want }) => want === "one");
  test.for(surplus)("$name: what follows the first request is never seen", async ({ raw }) => {
    const { upstream, daemon } = await startGateway(() => answering(PLAIN_ANSWER));
    const { bytes } = await rawRequest(daemon.endpoint, raw);
    expect(bytes.toString("latin1")).toBe(PLAIN_ANSWER);
    expect(upstream.received).toHaveLength(1);
    expect(raw.startsWith(upstream.received[0]?.toString("latin1") ?? "nothing")).toBe(true);
    expect(upstream.received[0]?.includes("GET /two HTTP/1.1\r\nHost")).toBe(false);
  });
});

describe("a request that passes through", () => {
  // Both are refused or withheld before anything is forwarded: C2, C4, C5, C6.
  const forwarded = wire.requests.filter(({ name }) => !["options", "dots", "back", "semi", "pct"].includes(name));
  test.for(forwarded)("$name reaches the upstream byte for byte", async ({ raw }) => {
    const { upstream, daemon } = await startGateway(() => answering(PLAIN_ANSWER));
    const { bytes } = await rawRequest(daemon.endpoint, raw);
    expect(upstream.received.map((one) => one.toString("latin1"))).toEqual([raw]);
    expect(bytes.toString("latin1")).toBe(PLAIN_ANSWER);
  });
});

describe("an answer of the upstream", () => {
  const malformed = ["short", "garbage", "conlen2", "r101"];
  const well = wire.answers.filter(({ name }) => !malformed.includes(name));

  test.for(well)("$name reaches the client byte for byte", async ({ raw, method }) => {
    const { daemon } = await startGateway(() => answering(raw));
    const answer = await rawRequest(daemon.endpoint, `${method} /x HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toEqual({ bytes: Buffer.from(raw, "latin1"), ending: "end" });
  });

  test.for(well.filter(({ name }) => !["close", "http10"].includes(name)))(
    "$name is complete for the client although the upstream stays open",
    async ({ raw, method }) => {
      const { daemon } = await startGateway(() => answering(raw, false));
      const answer = await rawRequest(daemon.endpoint, `${method} /x HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(answer).toEqual({ bytes: Buffer.from(raw, "latin1"), ending: "end" });
    },
  );

  test.for(["garbage", "conlen2", "r101"])("%s closes the connection without an answer", async (name) => {
    const { daemon } = await startGateway(() => answering(wire.answers.find((one) => one.name === name)?.raw ?? ""));
    const { bytes } = await rawRequest(daemon.endpoint, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(bytes.toString("latin1")).toBe("");
  });

  test("that ends too early ends in a reset, so that nobody takes it for whole", async () => {
    const { daemon } = await startGateway(() => answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhi"));
    const { ending } = await rawRequest(daemon.endpoint, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(ending).toBe("reset");
  });
});
