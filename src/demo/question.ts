import { connect } from "node:net";
import { type Endpoint, endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";

/** One HTTP request, written exactly as it stands. */
export interface Question {
  readonly to: Endpoint;
  readonly method: string;
  readonly target: string;
  /** All bytes, one character each (latin-1). */
  readonly request: string;
}

/** All bytes that came back until the other side closed, one character each; empty text when there were none. */
export interface Answer {
  readonly text: string;
  /** Why there was nothing, in words for people; undefined when there was something. */
  readonly silence: string | undefined;
}

const PATIENCE_MS = 3_000;

/** Writes a request down: one connection for one request, as the metadata service wants it. */
export function questionFor(to: Endpoint, words: string, fields: Readonly<Record<string, string>> = {}, body = ""): Question {
  const [method = "", target = ""] = words.split(" ");
  const all = { Host: endpointText(to).replace(/:80$/, ""), ...fields, ...(body === "" ? {} : { "Content-Length": String(body.length) }) };
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...Object.entries({ ...all, Connection: "close" }).map(([name, value]) => `${name}: ${value}`),
  ];
  return { to, method, target, request: `${lines.join("\r\n")}\r\n\r\n${body}` };
}

/** Asks one question after the other, from `sourceAddress` where one is given, and waits at most 3 s for each answer. It never rejects. */
export async function askInTurn(questions: readonly Question[], sourceAddress?: string): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) answers.push(await ask(question, sourceAddress));
  return answers;
}

function ask({ to, request }: Question, sourceAddress: string | undefined): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const received: Buffer[] = [];
  const socket = connect({ ...to, ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }) });
  const finish = (silence: string) => {
    cancel();
    socket.destroy();
    const text = Buffer.concat(received).toString("latin1");
    resolve({ text, silence: text === "" ? silence : undefined });
  };
  const cancel = systemClock.after(PATIENCE_MS, () => finish("no answer"));
  socket.on("connect", () => socket.write(request, "latin1"));
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  socket.on("end", () => finish("connection closed"));
  socket.on("error", (error) => finish("code" in error && error.code === "ECONNREFUSED" ? "connection refused" : error.message));
  return promise;
}

/** The status of an answer; undefined when there was none. */
export function statusOf({ text }: Answer): number | undefined {
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(text) ?? [];
  return status === undefined ? undefined : Number(status);
}

/** What follows the head of an answer. */
export function bodyOf({ text }: Answer): string {
  const end = text.indexOf("\r\n\r\n");
  return end < 0 ? "" : text.slice(end + 4);
}
