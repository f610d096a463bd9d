/**
 * A container that takes what it can get: 64 connections in a closed loop that ask for credentials, slow ones that send a byte a second, and
 * one that reads a long answer a little at a time. `node greedy-client.ts HOST PORT FROM`; after its first answer it is ready, at the end of
 * its stdin it says on stdout how many whole answers it got, how many connections were refused, and ends.
 */
import { connect, type Socket } from "node:net";
import { stated } from "./stated-answers.ts";

const LOOPS = 64;
const SLOW_WRITERS = 16;
const BYTE_EVERY_MS = 1_000;
/** Refused at once, it would ask again at once: so does a client without patience, but a little is what any of them has. */
const RETRY_MS = 1;

const [host = "127.0.0.1", port = "0", localAddress = "127.0.0.1"] = process.argv.slice(2);
const { request } = stated("cached credentials");
const counts = { answers: 0, refused: 0 };
let isOver = false;

function open(): Socket {
  return connect({ host, port: Number(port), localAddress, noDelay: true }).on("error", () => {});
}

function askForEver(): void {
  if (isOver) return;
  let isAnswered = false;
  const socket = open();
  socket.on("connect", () => socket.write(request, "latin1"));
  socket.on("data", () => {
    isAnswered = true;
  });
  socket.on("close", () => {
    if (isAnswered) counts.answers += 1;
    else counts.refused += 1;
    if (counts.answers + counts.refused === 1) process.stdout.write(`${JSON.stringify({ event: "ready", listen: "none:0" })}\n`);
    if (isAnswered) askForEver();
    else setTimeout(askForEver, RETRY_MS);
  });
}

function writeSlowly(): void {
  if (isOver) return;
  let sent = 0;
  const socket = open();
  const timer = setInterval(() => {
    socket.write(request.slice(sent, sent + 1), "latin1");
    sent += 1;
  }, BYTE_EVERY_MS);
  socket.on("close", () => {
    clearInterval(timer);
    setTimeout(writeSlowly, BYTE_EVERY_MS);
  });
}

/** Reads a little of an answer each second. */
function readSlowly(): void {
  if (isOver) return;
  const socket = open();
  socket.on("connect", () => socket.write(stated("long answer").request, "latin1"));
  socket.pause();
  const timer = setInterval(() => socket.read(16), BYTE_EVERY_MS);
  socket.on("close", () => {
    clearInterval(timer);
    setTimeout(readSlowly, BYTE_EVERY_MS);
  });
}

for (let index = 0; index < SLOW_WRITERS; index += 1) writeSlowly();
readSlowly();
for (let index = 0; index < LOOPS; index += 1) askForEver();

process.stdin.resume().on("end", () => {
  isOver = true;
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
});
