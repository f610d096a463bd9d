import net, { type NetConnectOpts } from "node:net";
import { READING_FIELD, type Reading } from "./echo.ts";

/** All that became of the bytes of one request. */
export interface Outcome {
  /** The requests that the server saw on this connection, in order. */
  readonly readings: readonly Reading[];
  /** The statuses of answers that were no reading. */
  readonly refusals: readonly number[];
  /** Whether the server kept waiting for more of a request. */
  readonly isWaiting: boolean;
}

const PATIENCE_MS = 1_000;
/** Tells whether the server is through with what came before it: it ends every connection. */
const CANARY = "GET /canary HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n";

/** Sends `bytes` to an echo server, and behind its answer another request, which is left out of the readings. */
export function askReader(where: NetConnectOpts, bytes: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = "";
    let isCanarySent = false;
    const socket = net.connect(where);
    const finish = (isWaiting: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...outcomeOf(text), isWaiting });
    };
    const sendCanary = () => {
      if (isCanarySent) return;
      isCanarySent = true;
      socket.write(CANARY);
    };
    const timer = setTimeout(() => finish(true), PATIENCE_MS);
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", (piece: string) => {
      text += piece;
      if (answersIn(text).length > 0) sendCanary();
    });
    socket.on("end", () => finish(false));
    socket.on("error", () => finish(false));
  });
}

interface Answer {
  readonly status: number;
  readonly reading: Reading | undefined;
}

function outcomeOf(text: string): Pick<Outcome, "readings" | "refusals"> {
  const answers = answersIn(text);
  const readings = answers.flatMap(({ reading }) => (reading === undefined ? [] : [reading]));
  return {
    readings: readings.at(-1)?.target === "/canary" ? readings.slice(0, -1) : readings,
    refusals: answers.filter(({ reading }) => reading === undefined).map(({ status }) => status),
  };
}

/** The final answers in what came back; no body of an echo server looks like one. */
function answersIn(text: string): readonly Answer[] {
  const heads = [...text.matchAll(/HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/g)];
  return heads
    .map(([, status, fields = ""]) => ({ status: Number(status), reading: readingIn(fields) }))
    .filter(({ status }) => status >= 200);
}

function readingIn(fields: string): Reading | undefined {
  const [, base64] = new RegExp(`^${READING_FIELD}: (\\S+)`, "im").exec(fields) ?? [];
  if (base64 === undefined) return undefined;
  const { target, path, bodyBytes } = JSON.parse(Buffer.from(base64, "base64").toString());
  return { target: String(target), path: path === undefined ? undefined : String(path), bodyBytes: Number(bodyBytes) };
}
