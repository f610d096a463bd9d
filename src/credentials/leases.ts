import { setMaxListeners } from "node:events";
import { aborted } from "../aborted.ts";
import { type Clock, sleep, within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { bugEvent, type Emit } from "../events.ts";
import type { Grant } from "../policy/decide.ts";
import { type LeaseOutcome, leaseKey } from "./lease.ts";
import { type LeaseEntry, newEntry, nextFlightAt, noteFailure, noteLease, outcomeOf, stateOf } from "./lease-entry.ts";
import type { Held, Mint, MintCall, MintPurpose } from "./mint.ts";
import type { StsBudget, Urgency } from "./sts-budget.ts";

export interface LeasesParts {
  readonly mint: Mint;
  readonly budget: StsBudget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: Emit;
}

/** How long a request waits for its first lease, and for a better one than a short one (docs/contract.md, N5, N3). */
const COLD_HOLD_MS = 5_000;
const SHORT_HOLD_MS = 400;
/** A flight is three tries at most, none begun five seconds after its first turn (docs/contract.md, S9). */
const TRIES = 3;
const TRY_BASE_MS = 100;
const TRY_BUDGET_MS = 5_000;

/**
 * The leases of all grants: one for each different session, one call at a time for each, renewed ahead of need while `run` runs.
 * A caller who stops waiting does not stop the call (docs/contract.md, S10).
 */
export class Leases {
  readonly #parts: LeasesParts;
  readonly #entries = new Map<string, LeaseEntry>();
  readonly #ended = new AbortController();
  #isRunning = false;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    setMaxListeners(0, this.#ended.signal);
  }

  /** A lease for `grant` that has not expired, waiting up to 5 s for the first one, or why there is none. */
  async leaseFor(grant: Grant): Promise<LeaseOutcome> {
    const entry = this.#entryFor(grant);
    switch (stateOf(entry, this.#now())) {
      case "fresh":
        break;
      case "due":
        void this.#begin(entry, "renewal");
        break;
      case "short":
        await this.#renewInTime(entry);
        break;
      case "expired":
        await this.#wait(entry, this.#begin(entry, "request"), COLD_HOLD_MS);
        break;
    }
    return outcomeOf(entry, this.#now());
  }

  /** When the lease that `grant` would be served was issued, in milliseconds since the epoch; undefined while there is none. */
  issuedAt(grant: Grant): number | undefined {
    const entry = this.#entries.get(leaseKey(grant));
    return entry && stateOf(entry, this.#now()) !== "expired" ? entry.lease?.issuedAt : undefined;
  }

  /** Makes the lease for `grant` ready before it is asked for. */
  prefetch(grant: Grant): void {
    const entry = this.#entryFor(grant);
    if (stateOf(entry, this.#now()) === "expired") void this.#begin(entry, "prefetch");
  }

  /** Forgets the lease for `grant`: it is renewed no more. */
  drop(grant: Grant): void {
    const key = leaseKey(grant);
    const entry = this.#entries.get(key);
    entry?.cancelTimer();
    entry?.dropped.abort(new ImdsgateError("STS_UNAVAILABLE", "nobody needs this lease any more"));
    this.#entries.delete(key);
  }

  /** Renews what is due until `signal` aborts; then ends every call. After that, leases are served but not renewed. */
  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    for (const entry of this.#entries.values()) this.#schedule(entry);
    await aborted(signal);
    this.#isRunning = false;
    this.#ended.abort(new ImdsgateError("STS_UNAVAILABLE", "imdsgate stops"));
    for (const entry of this.#entries.values()) entry.cancelTimer();
    await Promise.all([...this.#entries.values()].map(({ flight }) => flight));
  }

  #entryFor(grant: Grant): LeaseEntry {
    const key = leaseKey(grant);
    const entry = this.#entries.get(key) ?? newEntry(grant);
    this.#entries.set(key, entry);
    return entry;
  }

  /** A request waits for a renewal only while nothing suggests that it would wait in vain (docs/contract.md, N3). */
  async #renewInTime(entry: LeaseEntry): Promise<void> {
    const isInVain = entry.flight !== undefined && entry.failures > 0;
    const flight = this.#begin(entry, "renewal");
    if (!isInVain) await this.#wait(entry, flight, SHORT_HOLD_MS);
  }

  async #wait(entry: LeaseEntry, flight: Promise<void> | undefined, ms: number): Promise<void> {
    if (flight === undefined) return;
    entry.waiters += 1;
    await within(this.#parts.clock, ms, flight, undefined);
    entry.waiters -= 1;
  }

  /** The flight under way, or a new one; undefined while the last failure forbids one. */
  #begin(entry: LeaseEntry, purpose: MintPurpose): Promise<void> | undefined {
    if (entry.flight !== undefined) return entry.flight;
    if (this.#now() < entry.retryAt || this.#ended.signal.aborted) return undefined;
    entry.cancelTimer();
    entry.flight = this.#fly(entry, purpose).finally(() => {
      entry.flight = undefined;
      this.#schedule(entry);
    });
    return entry.flight;
  }

  async #fly(entry: LeaseEntry, purpose: MintPurpose): Promise<void> {
    const { mint, clock, random } = this.#parts;
    const call = this.#callFor(entry, purpose);
    for (let tries = 1; ; tries += 1) {
      try {
        const lease = await mint(entry.grant, call);
        return noteLease(entry, lease, random());
      } catch (error) {
        if (!isWorthRetrying(error) || tries === TRIES || this.#now() >= call.lastTryBefore() || this.#isOver(entry)) {
          return this.#noteFailure(entry, error);
        }
      }
      const pauseMs = random() * TRY_BASE_MS * 2 ** (tries - 1);
      call.hold({ by: "retry", ms: pauseMs });
      await sleep(clock, pauseMs, call.signal);
    }
  }

  #isOver(entry: LeaseEntry): boolean {
    return this.#ended.signal.aborted || entry.dropped.signal.aborted;
  }

  /** What the calls of one flight have in common: their turns, by how urgent the entry is at that moment, and their end. */
  #callFor(entry: LeaseEntry, purpose: MintPurpose): FlightCall {
    const { budget } = this.#parts;
    let held: Held | undefined = entry.failures === 0 ? undefined : { by: "backoff", ms: this.#now() - entry.failedAt };
    let firstTurnAt: number | undefined;
    return {
      purpose,
      signal: this.#ended.signal,
      turn: async () => {
        const signal = AbortSignal.any([this.#ended.signal, entry.dropped.signal]);
        const waitedMs = await budget.turn(() => urgencyOf(entry, purpose, this.#now()), signal);
        firstTurnAt ??= this.#now();
        const before = held;
        held = undefined;
        return waitedMs > 0 ? { by: "budget", ms: waitedMs } : before;
      },
      hold: (by) => {
        held = by;
      },
      lastTryBefore: () => (firstTurnAt ?? this.#now()) + TRY_BUDGET_MS,
    };
  }

  #noteFailure(entry: LeaseEntry, error: unknown): void {
    noteFailure(entry, error, this.#now(), this.#parts.random);
    if (!(error instanceof ImdsgateError)) this.#parts.emit(bugEvent("leases", error));
  }

  /** Sets the one timer of an entry that is still ours. */
  #schedule(entry: LeaseEntry): void {
    entry.cancelTimer();
    if (!this.#isRunning || this.#entries.get(entry.key) !== entry || entry.flight !== undefined) return;
    const at = nextFlightAt(entry, this.#now());
    if (at === undefined) return;
    const purpose = entry.lease ? "renewal" : "prefetch";
    entry.cancelTimer = this.#parts.clock.after(Math.max(0, at - this.#now()), () => void this.#begin(entry, purpose));
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}

interface FlightCall extends MintCall {
  /** Remembers what the next call was held back by. */
  hold(by: Held): void;
  lastTryBefore(): number;
}

/** What somebody waits for goes first, and a short lease, which somebody would. One who gave up waiting comes again soon. */
function urgencyOf(entry: LeaseEntry, purpose: MintPurpose, now: number): Urgency {
  if (entry.waiters > 0 || stateOf(entry, now) === "short") return "request";
  return purpose === "renewal" ? "renewal" : "prefetch";
}

/** Whether the same question may have another answer in a moment. */
function isWorthRetrying(error: unknown): boolean {
  return error instanceof ImdsgateError && ["STS_THROTTLED", "STS_UNAVAILABLE", "STS_ANSWER_BAD"].includes(error.code);
}
