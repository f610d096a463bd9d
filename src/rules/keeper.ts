import { type Clock, sleep } from "../clock.ts";
import type { Emit } from "../events.ts";
import { BACK_OFF_MS, type KeeperDecision, keeperDecision, NO_REPAIRS } from "./keeper-decision.ts";
import type { WatchRules } from "./rule-changes.ts";
import { differencesInWords, type RuleDifference } from "./rule-differences.ts";
import { isSameInOtherWords, withoutWording } from "./rule-wording.ts";

/** What the keeper sees and does, and how it tells. */
export interface KeeperRooms {
  readonly backend: string;
  /** What the kernel lacks or has too much of for all of our rules. */
  look(): Promise<readonly RuleDifference[]>;
  /** Replaces what stands. */
  putIn(parts: "closed" | "all"): Promise<void>;
  readonly watch: WatchRules;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A look although nothing has changed: no watch is perfect. */
const IDLE_LOOK_MS = 30_000;
/** After a tool has failed: somebody may have changed the rules between its look and its change. */
const TRY_AGAIN_MS = 200;

/**
 * Keeps the rules as they were put in until `signal` aborts: what somebody takes away, changes or puts before them is set right and told.
 * It never fights: see `keeperDecision`. It never rejects, and leaves the rules as they are.
 */
export async function keepRules(rooms: KeeperRooms, signal: AbortSignal): Promise<void> {
  const { clock } = rooms;
  let bell = new AbortController();
  const ring = () => bell.abort();
  signal.addEventListener("abort", ring, { once: true });
  const watching = rooms.watch(ring, signal);
  const keeper = createKeeper(rooms);
  while (!signal.aborted) {
    bell = new AbortController();
    const lookAgainAt = await keeper.step();
    if (signal.aborted) break;
    await sleep(clock, Math.min(lookAgainAt - clock.now(), IDLE_LOOK_MS), bell.signal);
  }
  await watching;
}

/** `step`: one look and what follows from it; gives the time of the next look. */
function createKeeper({ backend, look, putIn, clock, emit }: KeeperRooms) {
  let past = NO_REPAIRS;
  let repairs = 0;
  let lastFailure: string | undefined;
  /** How this tool's version lists what we load, where that is not how we say it; undefined until the first look. */
  let wording: readonly RuleDifference[] | undefined;

  async function lookPastWording(): Promise<readonly RuleDifference[]> {
    const isFirst = wording === undefined;
    // Only right at the start, when our own transaction is the latest: later, or once a look has failed, it would make a change by
    // somebody ours.
    wording ??= [];
    const differences = await look();
    if (isFirst && isSameInOtherWords(differences)) {
      wording = differences;
      emit({ kind: "rules-note", message: `${backend} lists the rules in words of its own; they are kept as it lists them` });
    }
    return withoutWording(differences, wording);
  }

  async function act({ act: step }: KeeperDecision, found: string): Promise<void> {
    if (step === "back-off") emit({ kind: "rules-flapping", backend, found, backOffMs: BACK_OFF_MS });
    const parts = step === "repair" ? "all" : "closed";
    await putIn(parts);
    repairs += 1;
    emit({ kind: "rules-repaired", backend, parts, found, repairs });
  }

  async function step(): Promise<number> {
    try {
      const differences = await lookPastWording();
      const decision = keeperDecision(differences, past, clock.now());
      past = decision.past;
      if (decision.act !== "rest") await act(decision, differencesInWords(differences));
      lastFailure = undefined;
      return decision.lookAgainAt ?? Number.POSITIVE_INFINITY;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== lastFailure) emit({ kind: "rules-unkept", backend, message });
      lastFailure = message;
      return clock.now() + TRY_AGAIN_MS;
    }
  }
  return { step };
}
