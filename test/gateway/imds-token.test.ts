import { describe, expect, test } from "vitest";
import type { Field } from "../../src/answer-head.ts";
import { createImdsTokens } from "../../src/gateway/imds-token.ts";
import { parseRequestHead } from "../../src/gateway/request-head.ts";
import type { ImdsAnswer, ImdsQuestion } from "../../src/imds-client.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const TOKEN = "x-aws-ec2-metadata-token: A";

function answerOf(status: number, fields: readonly Field[] = []): ImdsAnswer {
  return {
    head: { status, fields, framing: { kind: "none" } },
    headBytes: Buffer.from(`HTTP/1.1 ${status} x\r\n\r\n`),
    bodyBytes: Buffer.alloc(0),
    body: Buffer.alloc(0),
  };
}

function setUp(answer: ImdsAnswer | "down") {
  const asked: ImdsQuestion[] = [];
  const clock = handMovedClock();
  const state = { answer };
  const imds = {
    async ask(question: ImdsQuestion) {
      asked.push(question);
      if (state.answer === "down") throw new Error("down");
      return state.answer;
    },
  };
  const tokens = createImdsTokens(imds, clock);
  const verdictOn = (lines: readonly string[], version = "latest") => {
    const head = parseRequestHead(Buffer.from(["GET /x HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n"), "latin1"));
    if (typeof head === "number") throw new Error("the test's own head is malformed");
    return tokens.verdictOn(head, version);
  };
  return { asked, clock, state, verdictOn };
}

const withToken = (seconds: number) => answerOf(200, [["X-Aws-Ec2-Metadata-Token-Ttl-Seconds", String(seconds)]]);

describe("the probe (T7)", () => {
  test("has the client's own fields, but for those that frame or condition the answer", async () => {
    const { asked, verdictOn } = setUp(withToken(21_600));
    await verdictOn([
      TOKEN,
      "User-Agent: sdk",
      "X-a: 1",
      "x-A: 2",
      "Content-Length: 3",
      "If-None-Match: x",
      "Range: bytes=0-1",
      "Connection: keep-alive",
      "Upgrade: h2c",
      "HTTP2-Settings: A",
      "TE: trailers",
    ]);
    expect(asked).toEqual([
      {
        method: "GET",
        target: "/latest/meta-data/instance-id",
        httpVersion: "1.1",
        fields: [
          ["Host", "a"],
          ["x-aws-ec2-metadata-token", "A"],
          ["User-Agent", "sdk"],
          ["X-a", "1"],
          ["x-A", "2"],
        ],
      },
    ]);
  });

  test.for([401, 403, 404, 503])("that is answered %i is a refusal with that very answer, never remembered", async (status) => {
    const { asked, state, verdictOn } = setUp(answerOf(status));
    expect(await verdictOn([TOKEN])).toEqual({ kind: "refused", answer: state.answer });
    await verdictOn([TOKEN]);
    expect(asked).toHaveLength(2);
  });

  test("without an answer is no verdict", async () => {
    expect(await setUp("down").verdictOn([TOKEN])).toEqual({ kind: "unavailable" });
  });
});

describe("a good verdict (T8)", () => {
  test("is remembered for a minute, and the seconds left go on counting (T11)", async () => {
    const { asked, clock, verdictOn } = setUp(withToken(21_600));
    expect(await verdictOn([TOKEN])).toEqual({ kind: "good", ttlSeconds: 21_600 });
    clock.advance(59_000);
    expect(await verdictOn([TOKEN])).toEqual({ kind: "good", ttlSeconds: 21_541 });
    clock.advance(1_000);
    await verdictOn([TOKEN]);
    expect(asked).toHaveLength(2);
  });

  test("ends a second before the token does", async () => {
    const { asked, clock, verdictOn } = setUp(withToken(10));
    await verdictOn([TOKEN]);
    clock.advance(8_999);
    await verdictOn([TOKEN]);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await verdictOn([TOKEN]);
    expect(asked).toHaveLength(2);
  });

  test("without a token is remembered for 5 s: IMDSv2 may become required at any moment", async () => {
    const { asked, clock, state, verdictOn } = setUp(answerOf(200));
    expect(await verdictOn([])).toEqual({ kind: "good", ttlSeconds: undefined });
    clock.advance(4_999);
    await verdictOn([]);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    state.answer = answerOf(401);
    expect((await verdictOn([])).kind).toBe("refused");
  });

  test.for([
    { name: "another token", first: [TOKEN], second: ["x-aws-ec2-metadata-token: B"] },
    { name: "no token", first: [TOKEN], second: [] },
    { name: "an empty token", first: [], second: ["x-aws-ec2-metadata-token:"] },
    { name: "X-Forwarded-For, even empty (T9)", first: [TOKEN], second: [TOKEN, "x-forwarded-for:"] },
    { name: "a repeated token (T9)", first: [TOKEN], second: [TOKEN, TOKEN] },
    { name: "a repeated token about itself (T9)", first: [TOKEN, TOKEN], second: [TOKEN, TOKEN] },
  ])("says nothing of $name", async ({ first, second }) => {
    const { asked, verdictOn } = setUp(withToken(60));
    await verdictOn(first);
    await verdictOn(second);
    expect(asked).toHaveLength(2);
  });

  test("says nothing of another version", async () => {
    const { asked, verdictOn } = setUp(withToken(60));
    await verdictOn([TOKEN], "latest");
    await verdictOn([TOKEN], "2021-03-23");
    expect(asked).toHaveLength(2);
  });
});
