import { type Clock, sleep } from "../clock.ts";
import type { Emit } from "../events.ts";
import { createFailureTeller } from "./failure-teller.ts";
import { BACK_OFF_MS, type KeeperDecision, keeperDecision, NO_REPAIRS } from "./keeper-decision.ts";
import type { WatchRules } from "./rule-changes.ts";
import { differencesInWords, type RuleDifference } from "./rule-differences.ts";
import { isSameInOtherWords, withoutWording } from "./rule-wording.ts";
import type { InTurn } from "./turns.ts";

/** What the keeper sees and does, and how it tells. */
export interface KeeperRooms {
  readonly backend: string;
  /** A look and what follows from it are one turn. */
  readonly inTurn: InTurn;
  /** What the kernel lacks or has too much of for all that is wanted now. */
  look(): Promise<readonly RuleDifference[]>;
  /** Replaces what stands. */
  putIn(parts: "closed" | "all"): Promise<void>;
  /** Whether somebody asks for the rules' release. */
  isReleaseAsked(): Promise<boolean>;
  /** Lets go of the rules, as they are, and answers who asked. */
  release(): Promise<void>;
  /** Makes the rules follow the default route; not `isDue`: where that was long ago. It never rejects. */
  followUplinks(isDue: boolean): Promise<void>;
  /** After how long it looks though nothing has changed: no watch is perfect. `tookMs` is what the last look took. */
  idleLookMs(tookMs: number): number;
  readonly watch: WatchRules;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Keeps the rules as they are wanted. It never fights: see `keeperDecision`. */
export interface Keeper {
  /**
   * What somebody takes away, changes or puts before ours is set right and told, until `signal` aborts or the rules are released. It
   * never rejects, and leaves the rules as they are.
   */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Has a look right after a change of ours, in that change's turn: what is listed in other words than ours is this tool's way to say it.
   * It never rejects.
   */
  learnWording(): Promise<void>;
}

/** The shortest, which is also how often the default route is looked at. */
export const IDLE_LOOK_MS = 30_000;
/** After a tool has failed: somebody may have changed the rules between its look and its change. */
const TRY_AGAIN_MS = 200;

/** No effect until `run`. */
export function createKeeper(rooms: KeeperRooms): Keeper {
  const { backend, look, putIn, clock, emit } = rooms;
  let past = NO_REPAIRS;
  let repairs = 0;
  const failures = createFailureTeller(backend, emit);
  /** How this tool's version lists what we load, where that is not how we say it; undefined until the first look. */
  let wording: readonly RuleDifference[] | undefined;
  let isWordingTold = false;
  let tookMs = 0;

  async function lookPastWording(): Promise<readonly RuleDifference[]> {
    const isFirst = wording === undefined;
    // Only right after a change of ours, when our own transaction is the latest: later, or once a look has failed, it would make a
    // change by somebody ours.
    wording ??= [];
    const differences = await look();
    if (isFirst && isSameInOtherWords(differences)) {
      wording = differences;
      if (!isWordingTold) {
        emit({ kind: "rules-note", message: `${backend} lists the rules in words of its own; they are kept as it lists them` });
      }
      isWordingTold = true;
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

  /** One look and what follows from it; gives the time of the next look, undefined once the rules are released. */
  async function step(): Promise<number | undefined> {
    const begunAt = clock.now();
    const [isReleaseAsked, differences] = await Promise.all([rooms.isReleaseAsked(), lookPastWording()]);
    tookMs = Math.max(0, clock.now() - begunAt);
    if (isReleaseAsked) {
      await rooms.release();
      emit({ kind: "rules-released", backend });
      return undefined;
    }
    const decision = keeperDecision(differences, past, clock.now());
    past = decision.past;
    if (decision.act !== "rest") await act(decision, differencesInWords(differences));
    failures.isOver();
    await rooms.followUplinks(decision.act !== "rest");
    return decision.lookAgainAt ?? Number.POSITIVE_INFINITY;
  }

  async function stepOrTell(): Promise<number | undefined> {
    try {
      return await step();
    } catch (error) {
      failures.tell(error);
      return clock.now() + TRY_AGAIN_MS;
    }
  }

  return {
    run: (signal) => stepThrough({ ...rooms, step: stepOrTell, idleMs: () => rooms.idleLookMs(tookMs) }, signal),
    async learnWording() {
      wording = undefined;
      await lookPastWording().catch(() => {});
    },
  };
}

interface Steps extends Pick<KeeperRooms, "inTurn" | "watch" | "clock"> {
  readonly step: () => Promise<number | undefined>;
  /** For how long nothing may happen without a step. */
  readonly idleMs: () => number;
}

/** Steps whenever something may have changed, and when the step before said, until `signal` aborts or a step says that it was the last. */
async function stepThrough({ step, watch, inTurn, clock, idleMs }: Steps, signal: AbortSignal): Promise<void> {
  const released = new AbortController();
  const ending = AbortSignal.any([signal, released.signal]);
  let bell = new AbortController();
  const ring = () => bell.abort();
  ending.addEventListener("abort", ring, { once: true });
  const watching = watch(ring, ending);
  while (!ending.aborted) {
    bell = new AbortController();
    const lookAgainAt = await inTurn(step);
    if (lookAgainAt === undefined) released.abort();
    else if (!ending.aborted) await sleep(clock, Math.min(lookAgainAt - clock.now(), idleMs()), bell.signal);
  }
  await watching;
}
