import { connect } from "node:net";
import type { Endpoint } from "../../src/address.ts";

/** All bytes that came back, and how the connection ended. */
export interface RawAnswer {
  readonly bytes: Buffer;
  /** `end`: closed in order; `reset`: torn down; `timeout`: still open after 8 s. */
  readonly ending: "end" | "reset" | "timeout";
}

const PATIENCE_MS = 8_000;

/** Sends `bytes` (a string is latin-1) to `endpoint`, from `sourceAddress` where given, and reads until the other side closes, at most 8 s. */
export function rawRequest(endpoint: Endpoint, bytes: string | Buffer, sourceAddress?: string): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect({ ...endpoint, ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }) });
    const finish = (ending: RawAnswer["ending"]) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ bytes: Buffer.concat(received), ending });
    };
    const timer = setTimeout(() => finish("timeout"), PATIENCE_MS);
    socket.on("connect", () => socket.write(bytes, "latin1"));
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.on("end", () => finish("end"));
    socket.on("error", () => finish("reset"));
  });
}

/** An answer taken apart; text is latin-1. */
export interface ParsedAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** Takes the first answer in `bytes` apart: everything after its head is its body. Throws when there is no head. */
export function parseAnswer(bytes: Buffer): ParsedAnswer {
  const end = bytes.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = bytes.subarray(0, Math.max(end, 0)).toString("latin1").split("\r\n");
  const [, status, reason] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(statusLine) ?? [];
  if (end < 0 || status === undefined) throw new Error(`no answer head in ${JSON.stringify(bytes.subarray(0, 200).toString("latin1"))}`);
  const fields = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const);
  return { status: Number(status), reason: reason ?? "", fields, body: bytes.subarray(end + 4) };
}

/** The values of the field `name`, case aside. */
export function fieldOf(answer: Pick<ParsedAnswer, "fields">, name: string): readonly string[] {
  return answer.fields.filter(([field]) => field.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}
