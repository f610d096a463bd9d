import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { type Clock, within } from "../clock.ts";
import { environmentOfHeir } from "./inheritance.ts";
import { createMessagePipe, type MessagePipe } from "./message-pipe.ts";

/** What is to be started, with the sockets that it is to serve. */
export interface SuccessorProgram {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly listeners: readonly number[];
}

/** The next gateway, which was started and does not serve yet. */
export interface Successor {
  readonly pipe: MessagePipe;
  /** Asks it to end, and makes it end after 5 s. */
  end(): Promise<void>;
}

const FIRST_LISTENER = 4;
/**
 * A shell starts it and ends at once, so that it is a child of systemd's: of a main process that is not its own child systemd does not know
 * when it has ended, and kills it at a stop before its answers are out. Its stdout is ours, not the shell's.
 */
const LAUNCH = '"$@" >&3 3>&- & echo "$!"';
const ENDING_MS = 5_000;

/** Starts it, with nothing of ours but stdout, stderr, the listeners and a pipe. Rejects where that cannot be. */
export async function startSuccessor({ command, environment, listeners }: SuccessorProgram, clock: Clock): Promise<Successor> {
  const heirs = { listeners: listeners.map((_, index) => FIRST_LISTENER + index), pipe: FIRST_LISTENER + listeners.length };
  const shell = spawn("/bin/sh", ["-c", LAUNCH, "sh", ...command], {
    env: environmentOfHeir(environment, heirs),
    stdio: ["ignore", "pipe", "inherit", 1, ...listeners, "pipe"],
  });
  const stream: unknown = shell.stdio.at(-1);
  if (!(stream instanceof Duplex) || shell.stdout === null) throw new Error("there is no pipe to it");
  const pipe = createMessagePipe(stream, clock);
  const failed = new Promise<never>((_, reject) => shell.once("error", reject));
  const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()));
  const [text] = await Promise.race([Promise.all([textOf(shell.stdout), ended]), failed]);
  const pid = Number(text);
  if (!Number.isInteger(pid) || pid < 2) throw new Error(`/bin/sh said ${JSON.stringify(text)} in place of its pid`);
  return { pipe, end: () => endOf(pid, pipe, clock) };
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const piece of stream) text += String(piece);
  return text.trim();
}

/** While the pipe stands, its pid is nobody else's. */
async function endOf(pid: number, pipe: MessagePipe, clock: Clock): Promise<void> {
  const hasEnded = pipe.ended.then(() => true);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (await within(clock, 0, hasEnded, false)) break;
    tell(pid, signal);
    if (await within(clock, ENDING_MS, hasEnded, false)) break;
  }
  pipe.close();
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
