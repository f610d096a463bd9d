// asker.ts PARALLEL PATH: asks 169.254.169.254 for PATH, PARALLEL connections at a time, until something comes on stdin; then one line of JSON: how often it was told what, and the longest wait.
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const [, , parallel, path] = process.argv;
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n`;
const PAUSE_MS = 5;
const LIMIT_MS = 10_000;

const tally: Record<string, number> = {};
let longestMs = 0;
let isOver = false;
process.stdin.once("data", () => {
  isOver = true;
  process.stdin.destroy();
});
process.stdout.write("asking\n");
await Promise.all(Array.from({ length: Number(parallel) }, askOn));
process.stdout.write(`${JSON.stringify({ told: tally, longestMs })}\n`);

async function askOn(): Promise<void> {
  while (!isOver) {
    const askedAt = performance.now();
    const what = await ask();
    longestMs = Math.max(longestMs, Math.round(performance.now() - askedAt));
    tally[what] = (tally[what] ?? 0) + 1;
    await delay(PAUSE_MS);
  }
}

/** The status and the body, of credentials the key id alone; `closed` where there was no answer, or the error's code. */
function ask(): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect({ host: "169.254.169.254", port: 80 });
    socket.setTimeout(LIMIT_MS, () => socket.destroy(Object.assign(new Error("silence"), { code: "SILENCE" })));
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
    });
    socket.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    socket.on("close", () => resolve(answer === "" ? "closed" : `${answer.slice(9, 12)} ${whatOf(answer.split("\r\n\r\n")[1] ?? "")}`));
    socket.write(REQUEST);
  });
}

function whatOf(body: string): string {
  const [, keyId] = /"AccessKeyId" : "(\w+)"/.exec(body) ?? [];
  return keyId ?? body;
}
