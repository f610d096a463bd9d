import { aborted } from "./aborted.ts";
import { type Clock, sleep } from "./clock.ts";
import type { RunCommand } from "./run-command.ts";

const FIRST_DESCRIPTOR = 3;

/** What telling the service manager needs of the outside. */
export interface ServiceManagerParts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly runCommand: RunCommand;
  readonly clock: Clock;
  /** Told, once, why systemd could not be told. */
  readonly onFailure: (message: string) => void;
  /** Whether this process takes the place of the unit's main process; said with READY=1. */
  readonly isSuccessor?: boolean;
}

/** The reason of a signal that ends what is told because another process has this one's place: systemd is told nothing of this one's end. */
export const REPLACED = "replaced";

/**
 * Tells the service manager that the gateway stands (READY=1), then regularly that it lives (WATCHDOG=1) until `signal` aborts, then that
 * it stops (STOPPING=1): sd_notify(3), by systemd's own program, since Node has no such socket. Without NOTIFY_SOCKET it tells nobody.
 * Resolves when it has told that it stands, with whether systemd knows, and the end of all telling. Nothing of it rejects.
 */
export async function tellServiceManager(parts: ServiceManagerParts, status: string, signal: AbortSignal): Promise<Telling> {
  if (!isServed(parts.environment)) return { isKnown: false, ended: Promise.resolve() };
  let hasFailed = false;
  const tell = async (...words: readonly string[]): Promise<boolean> => {
    const { exitCode, stderr, isMissing } = await parts.runCommand("systemd-notify", words);
    if (exitCode === 0) return true;
    if (!hasFailed) {
      parts.onFailure(`systemd was not told ${words[0]}: ${isMissing ? "there is no systemd-notify on this host" : stderr.trim()}`);
    }
    hasFailed = true;
    return false;
  };
  const place = parts.isSuccessor ? [`MAINPID=${parts.pid}`] : [];
  const isKnown = await tell(...place, "READY=1", `STATUS=${status}`);
  return { isKnown, ended: tellOn(parts, tell, signal) };
}

/** How the telling goes on. */
export interface Telling {
  readonly isKnown: boolean;
  readonly ended: Promise<void>;
}

/** Whether a service manager wants to be told. */
export function isServed({ NOTIFY_SOCKET: socket = "" }: ServiceManagerParts["environment"]): boolean {
  return socket !== "";
}

async function tellOn(parts: ServiceManagerParts, tell: (word: string) => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const { environment, clock } = parts;
  const intervalMs = watchdogIntervalMs(environment, parts.pid);
  while (intervalMs !== undefined && !signal.aborted) {
    // Each word waits for the event loop: one that hangs tells nothing, and systemd ends it.
    await tell("WATCHDOG=1");
    await sleep(clock, intervalMs, signal);
  }
  await aborted(signal);
  if (signal.reason !== REPLACED) await tell("STOPPING=1");
}

/** A third of what the unit's WatchdogSec= allows, in milliseconds; undefined where no watchdog waits for this process (sd_watchdog_enabled(3)). */
export function watchdogIntervalMs(environment: ServiceManagerParts["environment"], pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watched = String(pid) } = environment;
  if (!/^[1-9]\d{0,15}$/.test(microseconds) || watched !== String(pid)) return undefined;
  return Math.floor(Number(microseconds) / 3_000);
}

/** How many listening sockets the service manager left for this process, from descriptor 3 on (sd_listen_fds(3)); none where they are another's. */
export function inheritedDescriptors(environment: ServiceManagerParts["environment"], pid: number): readonly number[] {
  const { LISTEN_FDS: count = "", LISTEN_PID: owner } = environment;
  if (!/^[1-9]\d?$/.test(count) || owner !== String(pid)) return [];
  return Array.from({ length: Number(count) }, (_, index) => FIRST_DESCRIPTOR + index);
}
