import type { Clock } from "../clock.ts";
import { sleep, within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { Roster } from "./roster.ts";
import type { ContainerRuntime } from "./runtime.ts";

const RETRY_MS = 1000;
const OPEN_MS = 5000;
const RELIST_MS = 60_000;

export interface WatchParts {
  readonly runtime: ContainerRuntime;
  readonly roster: Roster;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Whether all that the runtime does is heard from now on. */
  readonly onLive: (isLive: boolean) => void;
}

/**
 * Follows the runtime until `signal` aborts: its events, all containers at each connection, and again each minute for what events did
 * not tell. A runtime that is absent or silent is no error: it is said once and tried each second.
 */
export async function watchRuntime(parts: WatchParts, signal: AbortSignal): Promise<void> {
  const { runtime, clock, emit, onLive } = parts;
  let isDisconnected = false;
  const onConnected = (workloads: number) => {
    isDisconnected = false;
    onLive(true);
    emit({ kind: "runtime-connected", runtime: runtime.name, workloads });
  };
  while (!signal.aborted) {
    const message = await followOnce(parts, onConnected, signal);
    if (signal.aborted) return;
    onLive(false);
    if (!isDisconnected) emit({ kind: "runtime-disconnected", runtime: runtime.name, message });
    isDisconnected = true;
    await sleep(clock, RETRY_MS, signal);
  }
}

/** One connection, from its opening to its end; gives the reason for the end. */
async function followOnce(parts: WatchParts, onConnected: (workloads: number) => void, signal: AbortSignal): Promise<string> {
  const { runtime, roster, emit } = parts;
  const connection = new AbortController();
  const close = () => connection.abort();
  signal.addEventListener("abort", close, { once: true });
  try {
    const opened = Promise.withResolvers<"open">();
    const events = runtime.watchEvents(
      () => opened.resolve("open"),
      (event) =>
        event.kind === "note" ? emit({ kind: "runtime-note", runtime: runtime.name, message: event.message }) : roster.hear(event),
      connection.signal,
    );
    await Promise.race([events, listAgainAndAgain(parts, opened.promise, onConnected, connection.signal)]);
    return `${runtime.name} ended its stream of events`;
  } catch (error) {
    if (isAbsent(error)) roster.noteAbsence();
    return error instanceof Error ? error.message : String(error);
  } finally {
    close();
    signal.removeEventListener("abort", close);
  }
}

/** Whether nobody is there who could have containers. Silence, or a door that is closed to us, is something else. */
function isAbsent(error: unknown): boolean {
  const cause = error instanceof ImdsgateError ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ECONNREFUSED");
}

async function listAgainAndAgain(
  { runtime, roster, clock }: WatchParts,
  opened: Promise<"open">,
  onConnected: (workloads: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if ((await within(clock, OPEN_MS, opened, "silent")) === "silent") {
    throw new ImdsgateError("RUNTIME_UNAVAILABLE", `${runtime.name} opened no stream of events within ${OPEN_MS} ms`);
  }
  onConnected(await roster.list());
  while (!signal.aborted) {
    await sleep(clock, RELIST_MS, signal);
    if (!signal.aborted) await roster.list();
  }
}
