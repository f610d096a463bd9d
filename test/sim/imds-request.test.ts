import { describe, expect, test } from "vitest";
import { readRequest } from "../../src/sim/imds-request.ts";

/** What was read, as text, or `incomplete`. */
function read(bytes: string): unknown {
  const progress = readRequest(Buffer.from(bytes, "latin1"));
  if (progress.kind === "incomplete") return "incomplete";
  const { method, target, protocol, fields, head, body, isWellFormed } = progress.request;
  return { method, target, protocol, fields, head: head.toString(), body: body.toString(), isWellFormed, rest: progress.rest.toString() };
}

describe("a request", () => {
  test("is read with its body, and what follows stays", () => {
    const head = "PUT /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n";
    expect(read(`${head}abcGET /`)).toEqual({
      method: "PUT",
      target: "/x",
      protocol: "HTTP/1.1",
      fields: [
        ["Host", "a"],
        ["X-A", "1"],
        ["x-a", "2"],
        ["Content-Length", "3"],
      ],
      head,
      body: "abc",
      isWellFormed: true,
      rest: "GET /",
    });
  });

  test.for([
    { part: "half a head", bytes: "GET / HTTP/1.1\r\nHost: a\r\n" },
    { part: "a body that is not whole", bytes: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab" },
    { part: "a chunk without the last one", bytes: "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" },
    { part: "the last chunk without its empty line", bytes: "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" },
  ])("is incomplete with $part", ({ bytes }) => expect(read(bytes)).toBe("incomplete"));

  test("is read to its last chunk", () => {
    const chunks = "3;x=1\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n";
    expect(read(`PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)).toMatchObject({ body: chunks, rest: "" });
  });

  test.for([
    { fault: "bare line feeds", bytes: "GET /x HTTP/1.1\nHost: a\n\n", target: "/x" },
    { fault: "a folded line", bytes: "GET /x HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", target: "/x" },
    { fault: "two spaces", bytes: "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", target: "/x" },
    { fault: "no Host", bytes: "GET /x HTTP/1.1\r\n\r\n", target: "/x" },
    { fault: "two Hosts", bytes: "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", target: "/x" },
    { fault: "a line break before it", bytes: "\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", target: "/x" },
  ])("with $fault is read and told to be malformed", ({ bytes, target }) =>
    expect(read(bytes)).toMatchObject({ target, isWellFormed: false }),
  );

  test("of HTTP/1.0 needs no Host", () => expect(read("GET / HTTP/1.0\r\n\r\n")).toMatchObject({ isWellFormed: true }));
});

test("a request that waits to be told to go on is whole with its head (T3)", () => {
  const head = "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(readRequest(Buffer.from(head)).kind).toBe("request");
  expect(readRequest(Buffer.from(head.replace("Expect: 100-continue\r\n", ""))).kind).toBe("incomplete");
});
