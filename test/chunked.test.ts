import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createChunkedScanner } from "../src/chunked.ts";

/** Reads `bytes` in pieces and gives payload, state and how many bytes belong to the body. */
function scan(bytes: Buffer, cuts: readonly number[]) {
  const data: Buffer[] = [];
  const scanner = createChunkedScanner((piece) => data.push(Buffer.from(piece)));
  let taken = 0;
  let from = 0;
  for (const end of [...cuts, bytes.length]) {
    taken += scanner.push(bytes.subarray(from, end));
    from = end;
  }
  return { payload: Buffer.concat(data).toString("latin1"), state: scanner.state(), taken };
}

describe("a chunked body", () => {
  test.for([
    { text: "0\r\n\r\n", payload: "" },
    { text: "3\r\nabc\r\n0\r\n\r\n", payload: "abc" },
    { text: "1;a=b\r\na\r\n0\r\n\r\n", payload: "a" },
    { text: "0A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n", payload: "0123456789" },
  ])("$text is whole, and what follows it is not read", ({ text, payload }) => {
    expect(scan(Buffer.from(`${text}GET /two`), [])).toEqual({ payload, state: "done", taken: text.length });
  });

  test.for([
    "1\na\n0\n\n",
    "1 \r\na\r\n0\r\n\r\n",
    "0x1\r\na\r\n",
    "\r\n",
    "-1\r\n",
    "1\r\nabc\r\n",
    "fffffffff\r\n",
    "0\r\nno colon\r\n",
    "0\r\n X: 1\r\n",
    "4;GET /two HTTP/1.1\r\nabcd\r\n",
    "1\r\r\na",
  ])("%j is broken", (text) => {
    expect(scan(Buffer.from(text), []).state).toBe("bad");
  });

  test("means the same however it is cut", () => {
    const chunk = fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 5 }), fc.array(fc.nat(300), { maxLength: 6 }), (chunks, cuts) => {
        const text = `${chunks.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join("")}0\r\n\r\nsurplus`;
        const bytes = Buffer.from(text, "latin1");
        const places = cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
        expect(scan(bytes, places)).toEqual({ payload: chunks.join(""), state: "done", taken: bytes.length - "surplus".length });
      }),
    );
  });
});
