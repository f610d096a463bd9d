import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** How a program ended. `code` is undefined when it could not be started or a signal ended it. */
export interface ProgramEnd {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that a test started and that goes on. Its output is kept whole. */
export interface RunningProgram {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The first match of `pattern` in what it has printed or prints; rejects with its whole output when it ends or `limitMs` pass without one. */
  readonly printed: (pattern: RegExp, limitMs?: number) => Promise<RegExpMatchArray>;
  /** How it ended, once it has; rejects when it still runs after `limitMs`. */
  readonly ended: (limitMs?: number) => Promise<ProgramEnd>;
  /** Sends `signal` to the program itself, also below nsenter, and tells how it ended. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<ProgramEnd>;
}

const LIMIT_MS = 40_000;

/** Starts a program with an environment of PATH, HOME and what the invocation names: nothing of the machine's AWS settings. */
export function startProgram(invocation: Invocation): RunningProgram {
  const { program, args, env, input } = invocation;
  const path = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
  const child = spawn(program, args, { env: { PATH: path, HOME: "/nonexistent", LC_ALL: "C.UTF-8", ...env } });
  child.stdin.on("error", () => undefined).end(input ?? "");
  const seen = watchOutput(child);

  const waitFor = <T>(limitMs: number, found: () => T | undefined, what: string): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const fail = (how: string): void => reject(new Error(`${program} ${args.join(" ")}: ${what}, ${how}\n${seen.stdout}${seen.stderr}`));
    const look = (): void => {
      const value = found();
      if (value !== undefined) resolve(value);
      else if (seen.end) fail(`it ended with ${seen.end.code}`);
    };
    const timer = setTimeout(() => fail(`not within ${limitMs} ms`), limitMs);
    seen.watchers.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      seen.watchers.delete(look);
    });
  };
  const ended = (limitMs = LIMIT_MS): Promise<ProgramEnd> => waitFor(limitMs, () => seen.end, "did not end");
  return {
    pid: child.pid ?? 0,
    stdout: () => seen.stdout,
    stderr: () => seen.stderr,
    ended,
    printed: (pattern, limitMs = LIMIT_MS) =>
      waitFor(limitMs, () => `${seen.stdout}${seen.stderr}`.match(pattern) ?? undefined, `did not print ${pattern}`),
    stop: (signal = "SIGTERM") => {
      if (!seen.end && child.pid !== undefined) process.kill(program === "nsenter" ? onlyChildOf(child.pid) : child.pid, signal);
      return ended();
    },
  };
}

/** Runs a program to its end, whatever its exit code. */
export function tryProgram(invocation: Invocation): Promise<ProgramEnd> {
  return startProgram(invocation).ended();
}

/** Runs a program to its end and gives its standard output; rejects with all that it printed when its exit code is not 0. */
export async function runProgram(invocation: Invocation): Promise<string> {
  const { code, stdout, stderr } = await tryProgram(invocation);
  if (code !== 0) throw new Error(`${invocation.program} ${invocation.args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** The process that a program like nsenter or unshare started and waits for; the program itself while there is none. */
export function onlyChildOf(pid: number): number {
  return childrenOf(pid)[0] ?? pid;
}

/** The processes that a program started and that still run, in the order of their start. */
export function childrenOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(" ").map(Number);
}

interface SeenOutput {
  stdout: string;
  stderr: string;
  end: ProgramEnd | undefined;
  readonly watchers: Set<() => void>;
}

function watchOutput(child: ChildProcessWithoutNullStreams): SeenOutput {
  const seen: SeenOutput = { stdout: "", stderr: "", end: undefined, watchers: new Set() };
  const tell = (): void => {
    for (const look of seen.watchers) look();
  };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      seen[name] += text;
      tell();
    });
  }
  const end = (code: number | undefined): void => {
    seen.end ??= { code, stdout: seen.stdout, stderr: seen.stderr };
    tell();
  };
  child.on("error", (error) => {
    seen.stderr += `${error.message}\n`;
    end(undefined);
  });
  child.on("close", (code) => end(code ?? undefined));
  return seen;
}
