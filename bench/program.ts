import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
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
  /** Where its stderr goes; else to the benchmark's own. */
  readonly logPath?: string;
}

const STOP_MS = 6_000;

/** Starts a program and waits for its `ready` line. Throws when it ends before that. */
export async function startProgram(launch: Launch, owner: AsyncDisposableStack): Promise<Program> {
  const child = spawnOwned(launch, owner);
  const lines = createInterface({ input: child.stdout });
  const [line]: string[] = await Promise.race([once(lines, "line"), once(lines, "close").then(() => [])]);
  const port = readyPort(line ?? "");
  if (port === undefined) throw new Error(`${launch.command.join(" ")} did not become ready${launch.logPath ? `, see ${launch.logPath}` : ""}`);
  return { pid: child.pid ?? 0, stdin: child.stdin, lines, port };
}

/** Starts a program that says nothing of when it is ready; the owner stops it. Gives its process. */
export function spawnOwned({ command, environment, logPath }: Launch, owner: AsyncDisposableStack): ChildProcessByStdio<Writable, Readable, null> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", logPath === undefined ? "inherit" : openSync(logPath, "a")],
    ...(environment ? { env: environment } : {}),
  });
  const ended = once(child, "exit").catch(() => undefined);
  child.stdin.on("error", () => {});
  owner.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(kill);
  });
  return child;
}
