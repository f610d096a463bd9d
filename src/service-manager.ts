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
}

/**
 * Tells the service manager that the gateway stands (READY=1), then regularly that it lives (WATCHDOG=1) until `signal` aborts, then that
 * it stops (STOPPING=1): sd_notify(3), by systemd's own program, since Node has no such socket. Without NOTIFY_SOCKET it tells nobody.
 * It never rejects.
 */
export async function tellServiceManager(parts: ServiceManagerParts, status: string, signal: AbortSignal): Promise<void> {
  const { environment, clock } = parts;
  if ((environment["NOTIFY_SOCKET"] ?? "") === "") return;
  let hasFailed = false;
  const tell = async (...words: readonly string[]): Promise<void> => {
    const { exitCode, stderr, isMissing } = await parts.runCommand("systemd-notify", words);
    if (exitCode === 0 || hasFailed) return;
    hasFailed = true;
    parts.onFailure(`systemd was not told ${words[0]}: ${isMissing ? "there is no systemd-notify on this host" : stderr.trim()}`);
  };
  await tell("READY=1", `STATUS=${status}`);
  const intervalMs = watchdogIntervalMs(environment, parts.pid);
  while (intervalMs !== undefined && !signal.aborted) {
    // Each word waits for the event loop: one that hangs tells nothing, and systemd ends it.
    await tell("WATCHDOG=1");
    await sleep(clock, intervalMs, signal);
  }
  await aborted(signal);
  await tell("STOPPING=1");
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
