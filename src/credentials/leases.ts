import { setMaxListeners } from "node:events";
import { aborted } from "../aborted.ts";
import { type Clock, sleep, within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { bugEvent, type Emit } from "../events.ts";
import type { Grant } from "../policy/decide.ts";
import { type LeaseOutcome, leaseKey } from "./lease.ts";
import { type LeaseEntry, newEntry, nextFlightAt, noteFailure, noteLease, outcomeOf, stateOf } from "./lease-entry.ts";
import type { Mint, MintPurpose } from "./mint.ts";

export interface LeasesParts {
  readonly mint: Mint;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: Emit;
}

/** How long a request waits for its first lease, and for a better one than a short one (docs/contract.md, N5, N3). */
const COLD_HOLD_MS = 5_000;
const SHORT_HOLD_MS = 400;
/** A flight is three tries at most, none begun after five seconds (docs/contract.md, S9). */
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
        await this.#wait(this.#begin(entry, "request"), COLD_HOLD_MS);
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
    this.#entries.get(key)?.cancelTimer();
    this.#entries.delete(key);
  }

  /** Renews what is due until `signal` aborts; then ends every call. After that, leases are served but not renewed. */
  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    for (const entry of this.#entries.values()) this.#schedule(entry);
    await aborted(signal);
    this.#isRunning = false;
    this.#ended.abort();
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
    if (!isInVain) await this.#wait(flight, SHORT_HOLD_MS);
  }

  async #wait(flight: Promise<void> | undefined, ms: number): Promise<void> {
    if (flight !== undefined) await within(this.#parts.clock, ms, flight, undefined);
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
    const lastTryBefore = this.#now() + TRY_BUDGET_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        const lease = await mint(entry.grant, purpose, this.#ended.signal);
        return noteLease(entry, lease, random());
      } catch (error) {
        if (!isWorthRetrying(error) || tries === TRIES || this.#now() >= lastTryBefore || this.#ended.signal.aborted) {
          return this.#noteFailure(entry, error);
        }
      }
      await sleep(clock, random() * TRY_BASE_MS * 2 ** (tries - 1), this.#ended.signal);
    }
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

/** Whether the same question may have another answer in a moment. */
function isWorthRetrying(error: unknown): boolean {
  return error instanceof ImdsgateError && ["STS_THROTTLED", "STS_UNAVAILABLE", "STS_ANSWER_BAD"].includes(error.code);
}
