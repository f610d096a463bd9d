import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { sleep, systemClock } from "./clock.ts";
import { isFields } from "./fields.ts";

/** What a program printed and how it ended. `exitCode` is undefined when it could not be started or was killed. */
export interface CommandResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** True when there is no such program on this host. */
  readonly isMissing: boolean;
}

/** Runs `program` without a shell, feeds it `input`, and tells how it went. However it went, that does not reject. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>;

/** A program that goes on until it is stopped, or ends by itself. */
export interface RunningProgram {
  /** Every line of either stream so far, in the order in which they came. */
  readonly lines: readonly string[];
  /**
   * The first line, printed already or to come, that `isWanted` accepts; undefined when the program ends or `limitMs` pass without one, or
   * when `signal` aborts.
   */
  line(isWanted: (line: string) => boolean, limitMs: number, signal?: AbortSignal): Promise<string | undefined>;
  /** Asks it to end (SIGTERM), makes it end after 5 s, and gives its exit code; undefined when a signal ended it. Harmless when repeated. */
  stop(): Promise<number | undefined>;
}

const TIMEOUT_MS = 5_000;
/** For a program that was asked to end and does not. */
const PATIENCE_MS = 5_000;

/**
 * The one door to other programs: no shell, English messages, an end after 5 s, the system directories on PATH. It does without execa,
 * whose own work for a program is three times that of starting it: a keeper runs them all day.
 */
export const runCommand: RunCommand = async (program, args, input) => {
  const said = { stdout: "", stderr: "" };
  try {
    const child = spawn(program, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"], env: commandEnvironment() });
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        said[name] += text;
      });
    }
    // A program that ends without reading all says why by its exit code.
    child.stdin?.on("error", () => {}).end(input);
    return { exitCode: await exitCodeOf(child, TIMEOUT_MS), ...said, isMissing: false };
  } catch (error) {
    return { exitCode: undefined, ...said, isMissing: isFields(error) && error["code"] === "ENOENT" };
  }
};

/** Waits for the end of `child`, which is made to end after `limitMs`. Gives undefined when it was killed; rejects when it never began. */
async function exitCodeOf(child: ChildProcess, limitMs: number): Promise<number | undefined> {
  const closed = once(child, "close");
  const release = systemClock.after(limitMs, () => void endProgram(child));
  const [code]: (number | null)[] = await closed.finally(release);
  return code ?? undefined;
}

/** Asks `child` to end, and makes it end where it does not, whoever else may hold its output. */
function endProgram(child: ChildProcess): void {
  child.kill();
  const release = systemClock.after(PATIENCE_MS, () => {
    child.kill("SIGKILL");
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
  child.once("close", release);
}

/** Starts `program` without a shell, with `environment` and PATH alone. It ends with this process at the latest. */
export async function startProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  const { execa } = await import("execa");
  const child = execa(program, args, {
    reject: false,
    stdin: "ignore",
    all: true,
    buffer: false,
    extendEnv: false,
    env: { LC_ALL: "C", PATH: systemPath(), ...environment },
  });
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  let hasEnded = false;
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  createInterface({ input: child.all })
    .on("line", (line) => {
      lines.push(line);
      tell();
    })
    .on("close", () => {
      hasEnded = true;
      tell();
    });

  return {
    lines,
    async line(isWanted, limitMs, signal) {
      const ended = new AbortController();
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const look = () => {
        const found = lines.find(isWanted);
        if (found !== undefined || hasEnded) resolve(found);
      };
      listeners.add(look);
      look();
      const patience = sleep(systemClock, limitMs, AbortSignal.any([ended.signal, ...(signal ? [signal] : [])]));
      const found = await Promise.race([promise, patience.then(() => undefined)]);
      ended.abort();
      listeners.delete(look);
      return found;
    },
    async stop() {
      child.kill();
      return (await child).exitCode;
    },
  };
}

/**
 * Runs a program that goes on, hands over each line of its stdout, keeps none, and resolves when it has ended: by itself, or because
 * `signal` aborted. However it went, that does not reject.
 */
export type FollowCommand = (
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Without a shell, with `runCommand`'s environment. The program ends with this process at the latest. */
export const followCommand: FollowCommand = async (program, args, onLine, signal) => {
  if (signal.aborted) return;
  let child: ChildProcess;
  try {
    child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], env: commandEnvironment() });
  } catch {
    return;
  }
  const ended = once(child, "close").catch(() => {});
  // Without a descriptor there is no stdout either, and the error comes afterwards.
  if (child.stdout) createInterface({ input: child.stdout }).on("line", onLine);
  const end = () => endProgram(child);
  const endNow = () => void child.kill();
  signal.addEventListener("abort", end, { once: true });
  process.once("exit", endNow);
  await ended;
  signal.removeEventListener("abort", end);
  process.off("exit", endNow);
};

/** What `runOnTerminal` is told. */
export interface TerminalProgram {
  readonly program: string;
  readonly args: readonly string[];
  /** Closes the program's stdin, by which it learns that it is to end. */
  readonly signal: AbortSignal;
}

/** Runs a program that writes to this terminal itself, until it ends. Gives its exit code; undefined when there is none. */
export async function runOnTerminal({ program, args, signal }: TerminalProgram): Promise<number | undefined> {
  const { execa } = await import("execa");
  const child = execa(program, args, { reject: false, stdin: "pipe", stdout: "inherit", stderr: "inherit", env: { PATH: systemPath() } });
  const close = () => child.stdin.end();
  child.stdin.on("error", () => {});
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  const { exitCode } = await child;
  signal.removeEventListener("abort", close);
  return exitCode;
}

function commandEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C", PATH: systemPath() };
}

function systemPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
}
