import type { Clock } from "../clock.ts";

/** IMDS tokens go first: an SDK whose token PUT waits too long falls back to IMDSv1. */
export type ImdsTurn = "token" | "other";

/** Keeps what this host asks of the real IMDS below its packet limit: requests wait for their turn, none is refused for that. */
export interface ImdsRate {
  /** Waits for a turn. False when there was none within 5 s: the connection then ends without an answer (docs/contract.md, R5). */
  turn(kind: ImdsTurn, sourceAddress: string): Promise<boolean>;
}

interface Waiting {
  readonly kind: ImdsTurn;
  readonly sourceAddress: string;
  readonly go: (hasTurn: boolean) => void;
}

const MAX_WAIT_MS = 5_000;

/** No limit: every request has its turn at once. */
export const UNLIMITED: ImdsRate = { turn: async () => true };

/**
 * `perSecond` turns a second, as many at once after a quiet second. Token requests go before others; within each kind the
 * source that had its last turn longest ago is next, so that a noisy container delays itself.
 */
export function createImdsRate(perSecond: number, clock: Clock): ImdsRate {
  const gapMs = 1_000 / perSecond;
  const waiting = new Set<Waiting>();
  const lastTurnOf = new Map<string, number>();
  let turns = 0;
  /** When the next turn is due if none is saved; never more than a second behind. */
  let dueAt = clock.now() - 1_000 + gapMs;
  let isScheduled = false;

  function take(source: string): void {
    dueAt = Math.max(dueAt, clock.now() - 1_000 + gapMs) + gapMs;
    turns += 1;
    lastTurnOf.delete(source);
    lastTurnOf.set(source, turns);
    const [oldest] = lastTurnOf.keys();
    if (lastTurnOf.size > 4_096 && oldest !== undefined) lastTurnOf.delete(oldest);
  }

  function serveNext(): void {
    isScheduled = false;
    const next = nextOf(waiting, lastTurnOf);
    if (!next) return;
    waiting.delete(next);
    take(next.sourceAddress);
    next.go(true);
    schedule();
  }

  function schedule(): void {
    if (isScheduled || waiting.size === 0) return;
    isScheduled = true;
    clock.after(Math.max(0, dueAt - clock.now()), serveNext);
  }

  return {
    turn(kind, sourceAddress) {
      if (waiting.size === 0 && dueAt <= clock.now()) {
        take(sourceAddress);
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const cancel = clock.after(MAX_WAIT_MS, () => waiting.delete(entry) && resolve(false));
        const entry: Waiting = {
          kind,
          sourceAddress,
          go(hasTurn) {
            cancel();
            resolve(hasTurn);
          },
        };
        waiting.add(entry);
        schedule();
      });
    },
  };
}

function nextOf(waiting: ReadonlySet<Waiting>, lastTurnOf: ReadonlyMap<string, number>): Waiting | undefined {
  let best: Waiting | undefined;
  const rank = ({ kind, sourceAddress }: Waiting) =>
    (kind === "token" ? 0 : Number.MAX_SAFE_INTEGER / 2) + (lastTurnOf.get(sourceAddress) ?? 0);
  for (const entry of waiting) if (!best || rank(entry) < rank(best)) best = entry;
  return best;
}
