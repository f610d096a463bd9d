import { type Clock, sleep } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { FollowCommand, RunCommand } from "../run-command.ts";
import type { BridgeGuard } from "./bridge-guard.ts";
import { createFailureTeller } from "./failure-teller.ts";
import { type GuardedContainer, guardableContainers } from "./guarded-ports.ts";
import { listHostLinks } from "./host-links.ts";
import type { RuleDifference } from "./rule-differences.ts";
import { createTurns, type InTurn } from "./turns.ts";

/** Keeps the kernel's bridge guard in step with the containers that there are. */
export interface BridgeGuarding {
  /** Takes note of all containers that there are now; `run` sees to the rest. */
  note(containers: readonly GuardedContainer[]): void;
  /** Since when the kernel holds `address` for the container `id`, in milliseconds since the epoch; undefined while it does not. */
  heldSince(id: string, address: string): number | undefined;
  /** What the kernel lacks or has too much of for what was put in last. Throws as `BridgeGuard.put`. */
  differences(): Promise<readonly RuleDifference[]>;
  /** Puts the whole guard in again: somebody changed it. Throws as `BridgeGuard.put`. */
  repair(): Promise<void>;
  /** Puts what was noted into the kernel until `signal` aborts, and then takes the guard out. It never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface BridgeGuardingParts {
  readonly guard: BridgeGuard;
  readonly runCommand: RunCommand;
  readonly followCommand: FollowCommand;
  readonly clock: Clock;
  readonly emit: Emit;
}

const TRY_AGAIN_MS = 1_000;
/** What has failed again and again will hardly go a second later. */
const LONGEST_PAUSE_MS = 30_000;
/** A third of the time after which the kernel lets everybody through again, if we died. */
const KEEP_ALIVE_MS = 10_000;

/** Builds the bridge guarding; nothing is in the kernel before `run`. */
export function createBridgeGuarding(parts: BridgeGuardingParts): BridgeGuarding {
  const { guard } = parts;
  const inTurn = createTurns();
  const containers = createBoard<readonly GuardedContainer[]>([]);
  const held = createHeldAddresses(parts);

  function repair(): Promise<void> {
    return inTurn(() => {
      held.forget();
      return held.put(containers.noted());
    });
  }

  return {
    note: containers.note,
    heldSince: held.since,
    differences: () => inTurn(guard.differences),
    repair,
    async run(signal) {
      const attempts = createAttempts(parts, inTurn, held.forget);
      const followNotes = async () => {
        let pauseMs = TRY_AGAIN_MS;
        while (!signal.aborted) {
          const isDone = await attempts.attempt(() => held.put(containers.noted()), signal, pauseMs);
          pauseMs = isDone ? TRY_AGAIN_MS : Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
          if (isDone) await containers.change(signal);
        }
      };
      const keepAlive = async () => {
        while (!signal.aborted) {
          await sleep(parts.clock, KEEP_ALIVE_MS, signal);
          if (!signal.aborted && !(await attempts.attempt(guard.keepAlive, signal))) containers.ring();
        }
      };
      await Promise.all([followNotes(), keepAlive(), followGoneLinks(parts, containers.ring, signal)]);
      held.forget();
      await attempts.attempt(async () => void (await guard.remove()), signal);
    },
  };
}

/** What goes is let go at once, whatever the runtime says: the next container may have the address, and with Docker the MAC, of the last. */
async function followGoneLinks({ followCommand, clock }: BridgeGuardingParts, onGone: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await followCommand("ip", ["monitor", "link"], (line) => line.startsWith("Deleted ") && onGone(), signal);
    await sleep(clock, TRY_AGAIN_MS, signal);
  }
}

/** Which addresses the kernel holds, for whom, and since when. */
function createHeldAddresses({ guard, runCommand, clock, emit }: BridgeGuardingParts) {
  let held: ReadonlyMap<string, number> = new Map();
  let toldGap = "";

  function tellGap(containers: readonly GuardedContainer[], located: ReadonlySet<string>): void {
    const ids = containers.filter(({ id, addresses }) => addresses.length > 0 && !located.has(id)).map(({ id }) => id.slice(0, 12));
    if (ids.length > 0 && ids.join() !== toldGap) emit({ kind: "guard-gap", containers: ids });
    toldGap = ids.join();
  }

  return {
    since: (id: string, address: string) => held.get(keyOf(id, address)),
    /** Nobody knows what stands: nothing is held, and the next `put` is whole. */
    forget(): void {
      held = new Map();
      guard.forget();
    },
    async put(containers: readonly GuardedContainer[]): Promise<void> {
      const { set, located } = guardableContainers(containers, await listHostLinks(runCommand));
      const keys = containers.flatMap(({ id, addresses }) => (located.has(id) ? addresses.map((address) => keyOf(id, address)) : []));
      const before = held;
      // What goes out of the kernel is held no more from now on; what comes in is held when it is there.
      held = new Map(keys.flatMap((key) => (before.has(key) ? [[key, before.get(key) ?? 0] as const] : [])));
      await guard.put(set);
      const now = clock.now();
      held = new Map(keys.map((key) => [key, before.get(key) ?? now]));
      tellGap(containers, located);
    },
  };
}

function keyOf(id: string, address: string): string {
  return `${id} ${address}`;
}

/** Tries things one after the other; what fails is told once, forgotten, and followed by a pause. */
function createAttempts({ guard, clock, emit }: BridgeGuardingParts, inTurn: InTurn, forget: () => void) {
  const failures = createFailureTeller(`guard (${guard.tool})`, emit);
  return {
    async attempt(act: () => Promise<void>, signal: AbortSignal, pauseMs = TRY_AGAIN_MS): Promise<boolean> {
      try {
        await inTurn(act);
        failures.isOver();
        return true;
      } catch (error) {
        forget();
        failures.tell(error);
        await sleep(clock, pauseMs, signal);
        return false;
      }
    },
  };
}

/** What was noted last, for one reader who waits for the next. */
function createBoard<T>(first: T) {
  let noted = first;
  let bell = Promise.withResolvers<void>();
  return {
    note(next: T): void {
      noted = next;
      bell.resolve();
    },
    ring: () => bell.resolve(),
    /** The last note; what comes from now on is a change. */
    noted(): T {
      bell = Promise.withResolvers();
      return noted;
    },
    /** Resolves when there is something since `noted`, or when `signal` aborts. */
    async change(signal: AbortSignal): Promise<void> {
      const { promise, resolve } = bell;
      if (signal.aborted) return;
      const end = () => resolve();
      signal.addEventListener("abort", end, { once: true });
      await promise;
      signal.removeEventListener("abort", end);
    },
  };
}
