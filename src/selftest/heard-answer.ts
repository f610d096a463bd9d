import { parseAnswerHead } from "../answer-head.ts";

/** One answer, read for what it gives away. Text is latin-1. */
export interface HeardAnswer {
  readonly status: number;
  readonly body: string;
  /** What stands behind the answer: a second one. */
  readonly surplus: string;
}

/** Reads the first answer in `bytes` to a `method` request; undefined where there is none. */
export function readHeard(bytes: Buffer, method: string): HeardAnswer | undefined {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? undefined : parseAnswerHead(text.slice(0, end), method);
  if (!head) return undefined;
  const rest = text.slice(end + 4);
  if (head.framing.kind === "none") return { status: head.status, body: "", surplus: rest };
  const length = head.framing.kind === "length" ? head.framing.bytes : rest.length;
  return { status: head.status, body: rest.slice(0, length), surplus: rest.slice(length) };
}
