import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { askInTurn, questionFor } from "../../src/demo/question.ts";

/** A listener on loopback; gives its endpoint. */
async function listening(onSocket: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer({ allowHalfOpen: true }, onSocket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return { host: "127.0.0.1", port: address !== null && typeof address === "object" ? address.port : 0 };
}

test("a request is written as an SDK writes it", () => {
  const { request } = questionFor({ host: "169.254.169.254", port: 80 }, "PUT /latest/api/token", { "X-A": "1" }, "body");
  expect(request).toBe(
    "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-A: 1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
  );
});

test("questions are asked in turn from the address that is named, and answers kept byte for byte", async () => {
  const to = await listening((socket) =>
    socket.once("data", (bytes) => socket.end(`${socket.remoteAddress} ${bytes.toString("latin1").slice(0, 6)}\xff`, "latin1")),
  );
  const answers = await askInTurn([questionFor(to, "GET /a"), questionFor(to, "GET /b")], "127.0.1.9");
  expect(answers).toEqual([
    { text: "127.0.1.9 GET /a\xff", silence: undefined },
    { text: "127.0.1.9 GET /b\xff", silence: undefined },
  ]);
});

test("no answer is told by its reason", async () => {
  const closing = await listening((socket) => void socket.end());
  const nobody = { host: "127.0.0.1", port: 1 };
  expect(await askInTurn([questionFor(closing, "GET /"), questionFor(nobody, "GET /")])).toEqual([
    { text: "", silence: "connection closed" },
    { text: "", silence: "connection refused" },
  ]);
});
