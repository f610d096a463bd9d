import { writeSync, write as writeTo } from "node:fs";
import { type Cancel, type Clock, within } from "../clock.ts";

/** Where lines go. `write` takes one line with its line feed. */
export interface LogDestination {
  write(line: string): void;
}

/** How long a line may wait for company: each write is a trip through Node's thread pool. */
const HOLD_MS = 20;
/** What is written without waiting any longer, in characters. */
const BUNDLE_LENGTH = 8_192;
/** What is kept for a reader that does not read, in characters. */
const MAX_LENGTH = 1_048_576;
/** How long a full pipe is left alone. */
const RETRY_MS = 100;
/** How long the end waits for whoever reads. */
const END_MS = 1_000;

/**
 * A destination on `fd` (a file, a terminal, a pipe) that never blocks. Lines are held for 20 ms at most and written together. Past
 * 1 MiB of lines that nobody reads, new ones are dropped; how many is said in a line once there is room. Where the process exits
 * without `end`, what is held is written as it exits. pino's own destination is not taken for this: where its reader is gone, it tries
 * for ever to write the last lines.
 */
export class HeldLines implements LogDestination {
  readonly #fd: number;
  readonly #clock: Clock;
  #held = "";
  #cancel: Cancel = () => {};
  #isWriting = false;
  #isDue = false;
  /** What a full pipe did not take yet. */
  #waiting: Buffer = Buffer.alloc(0);
  /** Lines that were dropped, and how many of them the bundle under way tells of. */
  #lost = 0;
  #toldLost = 0;
  #hasEnded = false;
  readonly #allWritten = Promise.withResolvers<void>();
  readonly #onExit = () => writeNow(this.#fd, Buffer.concat([this.#waiting, Buffer.from(this.#held)]));

  constructor(fd: number, clock: Clock) {
    this.#fd = fd;
    this.#clock = clock;
    process.on("exit", this.#onExit);
  }

  write(line: string): void {
    if (this.#hasEnded) return;
    if (this.#held.length + line.length > MAX_LENGTH) {
      this.#lost += 1;
      return;
    }
    if (this.#held === "") this.#cancel = this.#clock.after(HOLD_MS, () => this.#release());
    this.#held += line;
    if (this.#held.length >= BUNDLE_LENGTH) this.#release();
  }

  /** Writes what is held, and waits at most 1 s for its reader. What is written after that goes nowhere. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    this.#release();
    await within(this.#clock, END_MS, this.#allWritten.promise, undefined);
    process.off("exit", this.#onExit);
  }

  #release(): void {
    this.#cancel();
    this.#isDue = this.#isWriting;
    if (this.#isWriting) return;
    if (this.#held === "") {
      if (this.#hasEnded) this.#allWritten.resolve();
      return;
    }
    const bundle = Buffer.from(this.#held + lostLine(this.#lost));
    this.#toldLost = this.#lost;
    this.#lost = 0;
    this.#held = "";
    this.#isWriting = true;
    this.#push(bundle);
  }

  #push(bytes: Buffer): void {
    this.#waiting = Buffer.alloc(0);
    writeTo(this.#fd, bytes, (error, count) => {
      if (error?.code === "EAGAIN") this.#pushLater(bytes);
      else if (error) this.#isPushed(linesIn(bytes.toString("latin1")) - linesIn(lostLine(this.#toldLost)) + this.#toldLost);
      else if (count < bytes.length) this.#push(bytes.subarray(count));
      else this.#isPushed(0);
    });
  }

  #pushLater(bytes: Buffer): void {
    this.#waiting = bytes;
    this.#clock.after(RETRY_MS, () => this.#push(bytes));
  }

  #isPushed(lost: number): void {
    this.#lost += lost;
    this.#isWriting = false;
    if (this.#isDue || this.#hasEnded) this.#release();
  }
}

function lostLine(count: number): string {
  if (count === 0) return "";
  return `{"level":"error","message":"${count} log lines were lost: nobody read them","event.name":"imdsgate.lines-lost"}\n`;
}

/** All of it that goes without waiting. */
function writeNow(fd: number, bytes: Buffer): void {
  try {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest));
  } catch {
    // Nobody reads, or not fast enough.
  }
}

function linesIn(text: string): number {
  return text.split("\n").length - 1;
}
