import type { Duplex } from "node:stream";
import { type Clock, sleep } from "../clock.ts";

/** What came of listening to the other end. `unreadable`: a line that is no JSON. */
export type Heard = { readonly kind: "message"; readonly message: unknown } | { readonly kind: "ended" | "late" | "unreadable" };

/** A pipe between two gateways: messages are lines of JSON, heard by one listener. */
export interface MessagePipe {
  /** Resolves when the kernel has it; also where nobody will ever read it. */
  say(message: object): Promise<void>;
  /** The next message within `ms` milliseconds; `late` also when `signal` aborts. */
  hear(ms: number, signal?: AbortSignal): Promise<Heard>;
  /** Resolves when the other end is gone. */
  readonly ended: Promise<void>;
  close(): void;
}

export function createMessagePipe(stream: Duplex, clock: Clock): MessagePipe {
  const lines: string[] = [];
  const ended = Promise.withResolvers<void>();
  let hasEnded = false;
  let rest = "";
  let bell = new AbortController();
  const end = () => {
    hasEnded = true;
    bell.abort();
    ended.resolve();
  };
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const [last = "", ...whole] = `${rest}${text}`.split("\n").reverse();
    rest = last;
    lines.push(...whole.reverse());
    if (whole.length > 0) bell.abort();
  });
  // An end follows each of them.
  stream.on("error", () => {});
  stream.once("end", end).once("close", end);
  return {
    say: (message) => new Promise((resolve) => stream.write(`${JSON.stringify(message)}\n`, () => resolve())),
    async hear(ms, signal) {
      bell = new AbortController();
      const wakers = signal ? [bell.signal, signal] : [bell.signal];
      if (lines.length === 0 && !hasEnded) await sleep(clock, ms, AbortSignal.any(wakers));
      const line = lines.shift();
      if (line !== undefined) return readMessage(line);
      return { kind: hasEnded ? "ended" : "late" };
    },
    ended: ended.promise,
    close: () => void stream.destroy(),
  };
}

function readMessage(line: string): Heard {
  try {
    return { kind: "message", message: JSON.parse(line) };
  } catch {
    return { kind: "unreadable" };
  }
}
