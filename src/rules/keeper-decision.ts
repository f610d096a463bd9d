import type { RuleDifference } from "./rule-differences.ts";

/** What the keeper remembers from one look to the next. Times in milliseconds. */
export interface KeeperPast {
  /** When it repaired, as far as that counts still; oldest first. */
  readonly repairs: readonly number[];
  /** Until when it leaves the redirect alone. */
  readonly backedOffUntil: number;
  /** When it last put the closed part in while it was backed off. */
  readonly closedAt: number;
}

/** `rest`: nothing to do now. `repair`: all goes in. `back-off`: it is a fight. `close`: the closed part alone goes in. */
export interface KeeperDecision {
  readonly act: "rest" | "repair" | "back-off" | "close";
  /** What to remember from now on. */
  readonly past: KeeperPast;
  /** When to look again, whatever happens or does not; undefined: when something changes. */
  readonly lookAgainAt: number | undefined;
}

export const NO_REPAIRS: KeeperPast = { repairs: [], backedOffUntil: Number.NEGATIVE_INFINITY, closedAt: Number.NEGATIVE_INFINITY };

/** More than this many repairs within a minute is a fight with somebody who means it. */
export const MOST_REPAIRS = 5;
export const BACK_OFF_MS = 30_000;
const WINDOW_MS = 60_000;
/** An open way is worth a repair also in a fight, but not without pause. */
const CLOSE_AGAIN_MS = 5_000;

/** What to do about what a look found. The first repair after a back-off is free; a second within the minute is a fight again. */
export function keeperDecision(differences: readonly RuleDifference[], remembered: KeeperPast, now: number): KeeperDecision {
  const past = whatCounts(remembered, now);
  const { repairs } = past;
  if (now < past.backedOffUntil) return decisionInFight(differences, past, now);
  if (differences.length === 0) return { act: "rest", past, lookAgainAt: undefined };
  if (repairs.length < MOST_REPAIRS) return { act: "repair", past: { ...past, repairs: [...repairs, now] }, lookAgainAt: undefined };
  const backedOffUntil = now + BACK_OFF_MS;
  return {
    act: "back-off",
    past: { repairs: repairs.slice(1 - MOST_REPAIRS), backedOffUntil, closedAt: now },
    lookAgainAt: now + CLOSE_AGAIN_MS,
  };
}

function decisionInFight(differences: readonly RuleDifference[], past: KeeperPast, now: number): KeeperDecision {
  if (differences.every(({ part }) => part === "redirect")) return { act: "rest", past, lookAgainAt: past.backedOffUntil };
  const nextClose = past.closedAt + CLOSE_AGAIN_MS;
  if (now < nextClose) return { act: "rest", past, lookAgainAt: Math.min(nextClose, past.backedOffUntil) };
  return { act: "close", past: { ...past, closedAt: now }, lookAgainAt: Math.min(now + CLOSE_AGAIN_MS, past.backedOffUntil) };
}

/** Without what is long ago, and what lies ahead by more than it can: the clock was set back, and nothing is to wait until it is there again. */
function whatCounts({ repairs, backedOffUntil, closedAt }: KeeperPast, now: number): KeeperPast {
  return {
    repairs: repairs.filter((at) => at <= now && now - at < WINDOW_MS),
    backedOffUntil: backedOffUntil - now <= BACK_OFF_MS ? backedOffUntil : NO_REPAIRS.backedOffUntil,
    closedAt: closedAt <= now ? closedAt : NO_REPAIRS.closedAt,
  };
}
