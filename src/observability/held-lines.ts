import { closeSync, constants, fstatSync, openSync, writeSync, write as writeTo } from "node:fs";
import { type Cancel, type Clock, within } from "../clock.ts";

/** Where lines go. `write` takes one line with its line feed. */
export interface LogDestination {
  write(line: string): void;
  /** Takes what makes the line that tells how many lines were lost. */
  tellLosses?(lineFor: (count: number) => string): void;
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
/** How long the exit waits for whoever reads: so many times, so long. */
const EXIT_TRIES = 100;
const EXIT_TRY_MS = 10;

/**
 * A destination on `fd` that does not block on a terminal that is stopped, or a pipe that is full: these are opened anew, since a write
 * that blocks holds a thread, and with it the end of the process. What cannot be opened anew is written to as it is: a file does not
 * block, a socket only if nobody made it non-blocking (src/cli.ts does so for stderr). Lines are held for 20 ms at most and written
 * together. Past 1 MiB of lines that nobody reads, new ones are dropped; how many is said in a line once there is room. Where the process
 * exits without `end`, what is held is written as it exits, for 1 s at most. pino's own destination is not taken for this: where its
 * reader is gone, it tries for ever to write the last lines.
 */
export class HeldLines implements LogDestination {
  readonly #fd: number;
  /** Whether `#fd` is ours to close. */
  readonly #isOwn: boolean;
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
  #lossLine: ((count: number) => string) | undefined;
  #hasEnded = false;
  readonly #allWritten = Promise.withResolvers<void>();
  readonly #onExit = () => writeNow(this.#fd, Buffer.concat([this.#waiting, Buffer.from(this.#held)]));

  constructor(fd: number, clock: Clock) {
    this.#fd = openAnew(fd) ?? fd;
    this.#isOwn = this.#fd !== fd;
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

  tellLosses(lineFor: (count: number) => string): void {
    this.#lossLine = lineFor;
  }

  /** Writes what is held, and waits at most 1 s for its reader. What is written after that goes nowhere. */
  async end(): Promise<void> {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#release();
    }
    await within(this.#clock, END_MS, this.#allWritten.promise, undefined);
    process.off("exit", this.#onExit);
  }

  #release(): void {
    this.#cancel();
    this.#isDue = this.#isWriting;
    if (this.#isWriting) return;
    if (this.#held === "") {
      if (this.#hasEnded) this.#finish();
      return;
    }
    const told = this.#lost > 0 ? this.#lossLine?.(this.#lost) : undefined;
    const bundle = Buffer.from(this.#held + (told ?? ""));
    this.#toldLost = told === undefined ? 0 : this.#lost;
    this.#lost -= this.#toldLost;
    this.#held = "";
    this.#isWriting = true;
    this.#push(bundle);
  }

  #push(bytes: Buffer): void {
    this.#waiting = Buffer.alloc(0);
    writeTo(this.#fd, bytes, (error, count) => {
      if (error?.code === "EAGAIN") this.#pushLater(bytes);
      else if (error) this.#isPushed(linesIn(bytes) - Math.min(this.#toldLost, 1) + this.#toldLost);
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

  /** Only now: nothing may be written to a number that is somebody else's by then. */
  #finish(): void {
    process.off("exit", this.#onExit);
    if (this.#isOwn) closeSync(this.#fd);
    this.#allWritten.resolve();
  }
}

/**
 * A non-blocking way to the same terminal, pipe or device; undefined where there is none. Setting O_NONBLOCK on `fd` itself would set it
 * for every program that shares it. A file opened anew would be written from its beginning.
 */
function openAnew(fd: number): number | undefined {
  try {
    const status = fstatSync(fd);
    if (!status.isCharacterDevice() && !status.isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // A terminal of another user, a pipe whose reader is gone, or no /proc.
    return undefined;
  }
}

/** All of it that goes within the time an exit has. */
function writeNow(fd: number, bytes: Buffer): void {
  let rest = bytes;
  for (let tries = 0; rest.length > 0 && tries < EXIT_TRIES; ) {
    const count = writeSome(fd, rest);
    if (count === undefined) return;
    rest = rest.subarray(count);
    if (count > 0) continue;
    tries += 1;
    // Nothing that waits by events is woken any more.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_TRY_MS);
  }
}

/** How much of it went; undefined where nothing will. */
function writeSome(fd: number, bytes: Buffer): number | undefined {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : undefined;
  }
}

function linesIn(bytes: Buffer): number {
  return bytes.toString("latin1").split("\n").length - 1;
}
