/**
 * The metadata service behind the benchmark, as fast as Node allows: one look at the request line, one write, close. The embedded
 * service of the demonstration judges and keeps every request, and would be what is measured. `node upstream.ts HOST`; it ends with its stdin.
 */
import { createServer } from "node:net";
import { announce } from "./ready-line.ts";
import { answerTo } from "./stated-answers.ts";

const server = createServer({ noDelay: true }, (socket) => {
  let received = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    if (received.includes("\r\n\r\n")) socket.end(answerTo(received));
  });
});

announce(server, process.argv[2] ?? "127.0.0.1");
