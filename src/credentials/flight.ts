import { type Clock, sleep } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import type { Lease } from "./lease.ts";
import { type LeaseEntry, urgencyOf } from "./lease-entry.ts";
import type { Mint, MintPurpose, Wait } from "./mint.ts";
import type { StsBudget } from "./sts-budget.ts";

export interface FlightParts {
  readonly mint: Mint;
  readonly budget: StsBudget;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The making of one lease, tries and pauses included. */
export interface Flight {
  readonly begunAt: number;
  /** Ends it at once: nobody needs the lease any more. */
  readonly ending: AbortController;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/** Three tries at most, none begun after five seconds; time in the queue of the budget is not counted (docs/contract.md, S9). */
const TRIES = 3;
const TRY_BASE_MS = 100;
const TRY_BUDGET_MS = 5_000;

/** A new lease for the entry. Rejects with what the last try failed with, and with anything once `signal` has aborted. */
export async function fly(entry: LeaseEntry, purpose: MintPurpose, parts: FlightParts, signal: AbortSignal): Promise<Lease> {
  const { mint, clock, random } = parts;
  const startedAt = clock.now();
  const queue = queueFor(entry, parts, signal);
  queue.noteWait({ for: "backoff", ms: entry.backoffMs });
  for (let tries = 1; ; tries += 1) {
    try {
      return await mint(entry.grant, { purpose, turn: queue.turn, signal });
    } catch (error) {
      const spentMs = clock.now() - startedAt - queue.queuedMs();
      if (signal.aborted || tries === TRIES || spentMs >= TRY_BUDGET_MS || !isWorthRetrying(error)) throw error;
    }
    const pauseMs = random() * TRY_BASE_MS * 2 ** (tries - 1);
    await sleep(clock, pauseMs, signal);
    queue.noteWait({ for: "retry", ms: pauseMs });
  }
}

/** The turns of one flight: each tells what its call waited for, the pause before it and the queue together. */
function queueFor(entry: LeaseEntry, { budget, clock }: FlightParts, signal: AbortSignal) {
  let queuedMs = 0;
  let before: Wait | undefined;
  return {
    queuedMs: () => queuedMs,
    noteWait(wait: Wait) {
      before = wait;
    },
    async turn(): Promise<Wait | undefined> {
      const ms = await budget.turn(() => urgencyOf(entry, clock.now()), signal);
      queuedMs += ms;
      const earlier = before;
      before = undefined;
      return wholeWait({ for: "budget", ms }, earlier);
    },
  };
}

/** Both waits as one, by the name of the longer; undefined where there was none. */
function wholeWait(last: Wait, earlier: Wait | undefined): Wait | undefined {
  const ms = Math.round(last.ms + (earlier?.ms ?? 0));
  if (ms === 0) return undefined;
  return { for: earlier && earlier.ms > last.ms ? earlier.for : last.for, ms };
}

/** Whether the same question may have another answer in a moment. */
function isWorthRetrying(error: unknown): boolean {
  return error instanceof ImdsgateError && ["STS_THROTTLED", "STS_UNAVAILABLE", "STS_ANSWER_BAD"].includes(error.code);
}
