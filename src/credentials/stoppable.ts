import { AsyncLocalStorage } from "node:async_hooks";
import { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { isFields } from "../fields.ts";

/** What Node tells of each HTTP request and each program that begins. */
const CHANNELS = ["http.client.request.created", "child_process"];

const stoppers = new AsyncLocalStorage<Set<() => void>>();

/**
 * What `act` gives, for an `act` that can not be told to stop: when `signal` aborts, every HTTP request and every program that it began,
 * however deep, is ended, and so fails in its hands.
 */
export async function stoppable<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  const own = new Set<() => void>();
  const note = (message: unknown) => {
    const stop = stopperOf(message);
    if (!stop || stoppers.getStore() !== own) return;
    own.add(stop);
    // What begins after the end is ended as soon as it is whole.
    if (signal.aborted) queueMicrotask(stop);
  };
  const stopAll = () => {
    for (const stop of own) stop();
  };
  for (const channel of CHANNELS) subscribe(channel, note);
  signal.addEventListener("abort", stopAll, { once: true });
  try {
    return await stoppers.run(own, act);
  } finally {
    signal.removeEventListener("abort", stopAll);
    for (const channel of CHANNELS) unsubscribe(channel, note);
  }
}

function stopperOf(message: unknown): (() => void) | undefined {
  if (!isFields(message)) return undefined;
  const { process: program, request } = message;
  if (program instanceof ChildProcess) return () => endProgram(program);
  if (!isDestroyable(request)) return undefined;
  return () => request.destroy(new Error("it took too long"));
}

/** The SDK runs a program in a shell, which would leave it behind. Stopped, it begins no other while those that it began are listed. */
function endProgram(program: ChildProcess): void {
  program.stdout?.destroy();
  program.stderr?.destroy();
  // Its pid may be another's by now.
  if (program.exitCode !== null || program.signalCode !== null) return;
  program.kill("SIGSTOP");
  const begun = program.pid === undefined ? [] : descendantsOf(program.pid);
  program.kill("SIGKILL");
  for (const pid of begun) endProcess(pid);
}

/** None where the kernel does not list them. */
function descendantsOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function isDestroyable(value: unknown): value is { destroy(error: Error): void } {
  return isFields(value) && typeof value["destroy"] === "function";
}
