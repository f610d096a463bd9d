import { describe, expect, test } from "vitest";
import { HEAD_START, parseRequestHead, scanHead } from "../../src/gateway/request-head.ts";
import wire from "../contract/wire.json" with { type: "json" };

/** What a head comes to when its bytes arrive in these pieces: a status, `pass` for a well-formed head, `more` while it is not whole. */
function verdictOn(bytes: Buffer, cuts: readonly number[]): number | "pass" | "more" {
  let found = HEAD_START;
  for (const end of [...cuts, bytes.length]) {
    if (found.kind === "more") found = scanHead(bytes.subarray(0, end), found.scan);
  }
  if (found.kind === "refused") return found.status;
  if (found.kind === "more") return "more";
  const head = parseRequestHead(bytes.subarray(0, found.end));
  return typeof head === "number" ? head : "pass";
}

/** What the head alone decides: targets (C2) and bodies are judged elsewhere. */
const heads = wire.heads.filter(({ name }) => !name.startsWith("chunk") && !/^C2|^C1 target/.test(name));

describe("a request head", () => {
  test.for(heads)("$name", ({ raw, want }) => {
    const allowed = [want].flat().map((one) => (one === "one" ? "pass" : one));
    expect(allowed).toContain(verdictOn(Buffer.from(raw, "latin1"), []));
  });

  test.for(heads)("$name, wherever it is cut into two packets", ({ raw }) => {
    const bytes = Buffer.from(raw, "latin1");
    const whole = verdictOn(bytes, []);
    const step = Math.max(1, Math.floor(bytes.length / 500));
    for (let cut = 1; cut < bytes.length; cut += step) expect([cut, verdictOn(bytes, [cut])]).toEqual([cut, whole]);
  });

  test("keeps target, names, case, order and duplicates as they came", () => {
    const bytes = Buffer.from("GET //a%2Db?x HTTP/1.1\r\nhOsT: a\r\nX-B:  1 \r\nx-b:2\r\n\r\n", "latin1");
    expect(parseRequestHead(bytes)).toEqual({
      method: "GET",
      target: "//a%2Db?x",
      httpVersion: "1.1",
      fields: [
        ["hOsT", "a"],
        ["X-B", "1"],
        ["x-b", "2"],
      ],
      framing: { kind: "none" },
      bytes,
    });
  });

  test.for([
    { line: "Transfer-Encoding: chunked\t", name: "a tab after chunked" },
    { line: "Transfer-Encoding:  chunked", name: "two blanks before chunked" },
    { line: "Transfer-Encoding: Chunked", name: "another case of chunked" },
  ])("is refused for $name, which an upstream could read differently", ({ line }) => {
    expect(parseRequestHead(Buffer.from(`PUT /x HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`, "latin1"))).toBe(400);
  });

  test("that declares a body over 64 KiB is refused with 413", () => {
    expect(parseRequestHead(Buffer.from("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", "latin1"))).toBe(413);
  });

  test.for([
    { bytes: 8_192, verdict: "pass" },
    { bytes: 8_193, verdict: 414 },
  ])("with a request line of $bytes bytes: $verdict", ({ bytes, verdict }) => {
    const line = `GET /${"a".repeat(bytes - "GET / HTTP/1.1".length)} HTTP/1.1`;
    expect(verdictOn(Buffer.from(`${line}\r\nHost: a\r\n\r\n`), [])).toBe(verdict);
  });

  test.for([
    { bytes: 16_384, verdict: "pass" },
    { bytes: 16_385, verdict: 431 },
  ])("of $bytes bytes: $verdict", ({ bytes, verdict }) => {
    const frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    expect(verdictOn(Buffer.from(frame.replace("X: ", `X: ${"a".repeat(bytes - frame.length)}`)), [])).toBe(verdict);
  });

  test("looks at each byte once, however small the packets", () => {
    const bytes = Buffer.from(`GET /x HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(16_000)}\r\n\r\n`);
    let found = HEAD_START;
    for (let end = 1; end <= bytes.length && found.kind === "more"; end++) {
      expect(found.scan.at).toBe(end - 1);
      found = scanHead(bytes.subarray(0, end), found.scan);
    }
    expect(found).toEqual({ kind: "complete", end: bytes.length });
  });
});
