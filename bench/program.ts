import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import type { Writable } from "node:stream";
import { readyPort } from "./ready-line.ts";

/** A program that runs until its owner is disposed of. */
export interface Program {
  readonly pid: number;
  readonly stdin: Writable;
  /** Its lines on stdout after the `ready` line. */
  readonly lines: Interface;
  /** Where it listens; 0 when it listens nowhere. */
  readonly port: number;
}

export interface Launch {
  readonly command: readonly string[];
  /** Instead of the benchmark's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it runs; else where the benchmark does. */
  readonly cwd?: string;
  /** Where its stderr goes; else to the benchmark's own. */
  readonly logPath?: string;
}

const STOP_MS = 6_000;

/** Starts a program and waits for its `ready` line. Throws when it ends before that. */
export async function startProgram(launch: Launch, owner: AsyncDisposableStack): Promise<Program> {
  const { pid = 0, stdin, stdout } = spawnOwned(launch, owner);
  if (!stdin || !stdout) throw new Error(`${launch.command.join(" ")} has no pipes`);
  stdin.on("error", () => {});
  const lines = createInterface({ input: stdout });
  const [line]: string[] = await Promise.race([once(lines, "line"), once(lines, "close").then(() => [])]);
  const port = readyPort(line ?? "");
  if (port === undefined) throw new Error(`${launch.command.join(" ")} did not become ready: ${saidBy(launch)}`);
  return { pid, stdin, lines, port };
}

function saidBy({ logPath }: Launch): string {
  return logPath === undefined ? "its reason stands above" : readFileSync(logPath, "utf8").slice(-2_000);
}

/** Starts a program that does not say when it is ready; the owner stops it. Throws when the owner is already gone. */
export function spawnOwned({ command, environment, cwd, logPath }: Launch, owner: AsyncDisposableStack): ChildProcess {
  if (owner.disposed) throw new Error("the run is over");
  const [file = "", ...args] = command;
  const log = logPath === undefined ? undefined : openSync(logPath, "a");
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", log ?? "inherit"],
    ...(environment ? { env: environment } : {}),
    ...(cwd ? { cwd } : {}),
  });
  if (log !== undefined) closeSync(log);
  const ended = once(child, "exit").catch(() => undefined);
  owner.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(kill);
  });
  return child;
}
