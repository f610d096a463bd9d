import { aborted } from "../aborted.ts";
import { within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { bugEvent, type Emit } from "../events.ts";
import type { Grant } from "../policy/decide.ts";
import { type Flight, type FlightParts, fly } from "./flight.ts";
import { createHandedLeases, type HandedLease, type HandedLeases, handedLeaseOf } from "./handed-lease.ts";
import { type LeaseOutcome, leaseKey } from "./lease.ts";
import { type LeaseEntry, newEntry, nextFlightAt, noteFailure, noteLease, outcomeOf, retryAt, stateOf } from "./lease-entry.ts";
import type { MintPurpose } from "./mint.ts";

export interface LeasesParts extends FlightParts {
  readonly emit: Emit;
  /** From an earlier gateway. */
  readonly handed?: readonly HandedLease[] | undefined;
}

/** How long a request waits for its first lease, and for a better one than a short one (docs/contract.md, N5, N3). */
const COLD_HOLD_MS = 5_000;
const SHORT_HOLD_MS = 400;
/** Who is gone for so long when leases are handed over is not coming back soon: as in `prefetch.ts`. */
const HANDED_KEPT_MS = 300_000;
/** How long a hand-over waits for what is under way. */
const HANDOVER_WAIT_MS = 2_000;

/**
 * The leases of all grants: one for each different session, one call at a time for each, renewed ahead of need while `run` runs.
 * A caller who stops waiting does not stop the call (docs/contract.md, S10).
 */
export class Leases {
  readonly #parts: LeasesParts;
  readonly #entries = new Map<string, LeaseEntry>();
  /** What is under way, that of dropped entries included. */
  readonly #flights = new Set<Flight>();
  readonly #handed: HandedLeases;
  #isRunning = false;
  #isHandedOver = false;
  #hasEnded = false;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#handed = createHandedLeases(parts.handed ?? []);
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
        await this.#firstInTime(entry);
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

  /** Forgets the lease for `grant`: it is renewed no more, and what is under way for it ends. */
  drop(grant: Grant): void {
    const key = leaseKey(grant);
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    entry?.cancelTimer();
    entry?.flight?.ending.abort();
  }

  /** Renews what is due until `signal` aborts; then ends every call. After that, leases are served but not renewed. */
  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    for (const entry of this.#entries.values()) this.#schedule(entry);
    const cancelForgetting = this.#parts.handed ? this.#parts.clock.after(HANDED_KEPT_MS, () => this.#handed.forget()) : undefined;
    await aborted(signal);
    cancelForgetting?.();
    this.#isRunning = false;
    this.#hasEnded = true;
    for (const entry of this.#entries.values()) entry.cancelTimer();
    const flights = [...this.#flights];
    for (const { ending } of flights) ending.abort();
    await Promise.all(flights.map(({ done }) => done));
  }

  /**
   * All that may be served still, for the next gateway. From now on they are served and not renewed, and only a request makes a new one.
   * What is under way is waited for, 2 s at most.
   */
  async handOver(): Promise<readonly HandedLease[]> {
    this.#isHandedOver = true;
    for (const entry of this.#entries.values()) entry.cancelTimer();
    const flights = [...this.#flights].map(({ done }) => done);
    await within(this.#parts.clock, HANDOVER_WAIT_MS, Promise.all(flights), undefined);
    const now = this.#now();
    return [...this.#entries.values()].flatMap((entry) => handedLeaseOf(entry, now) ?? []);
  }

  /** There is no next gateway: all is as before `handOver`. */
  goOn(): void {
    this.#isHandedOver = false;
    for (const entry of this.#entries.values()) {
      if (entry.lease === undefined && entry.failures === 0) void this.#begin(entry, "prefetch");
      else this.#schedule(entry);
    }
  }

  #entryFor(grant: Grant): LeaseEntry {
    const known = this.#entries.get(leaseKey(grant));
    if (known) return known;
    const entry = newEntry(grant);
    this.#entries.set(entry.key, entry);
    const handed = this.#handed.takeFor(entry, this.#now());
    if (handed) {
      noteLease(entry, handed.lease, handed.jitter);
      this.#schedule(entry);
    }
    return entry;
  }

  async #firstInTime(entry: LeaseEntry): Promise<void> {
    const flight = this.#begin(entry, "request");
    if (flight === undefined) return;
    entry.waiters += 1;
    await within(this.#parts.clock, COLD_HOLD_MS, flight.done, undefined);
    entry.waiters -= 1;
  }

  /**
   * A request waits for a renewal only while nothing suggests that it would wait in vain: not after a failure, and not for one that takes
   * longer already (docs/contract.md, N3).
   */
  async #renewInTime(entry: LeaseEntry): Promise<void> {
    const before = entry.flight;
    const isInVain = before !== undefined && (entry.failures > 0 || this.#now() - before.begunAt >= SHORT_HOLD_MS);
    const flight = this.#begin(entry, "renewal");
    if (flight !== undefined && !isInVain) await within(this.#parts.clock, SHORT_HOLD_MS, flight.done, undefined);
  }

  /** The flight under way, or a new one; undefined while the last failure forbids one. */
  #begin(entry: LeaseEntry, purpose: MintPurpose): Flight | undefined {
    if (entry.flight !== undefined) return entry.flight;
    if (this.#now() < retryAt(entry, this.#now()) || this.#hasEnded) return undefined;
    if (this.#isHandedOver && purpose !== "request") return undefined;
    entry.cancelTimer();
    const ending = new AbortController();
    const flight: Flight = {
      begunAt: this.#now(),
      ending,
      done: this.#fly(entry, purpose, ending.signal).finally(() => this.#land(entry, flight)),
    };
    entry.flight = flight;
    this.#flights.add(flight);
    return flight;
  }

  async #fly(entry: LeaseEntry, purpose: MintPurpose, signal: AbortSignal): Promise<void> {
    try {
      noteLease(entry, await fly(entry, purpose, this.#parts, signal), this.#parts.random());
    } catch (error) {
      if (!signal.aborted) this.#noteFailure(entry, error);
    }
  }

  #land(entry: LeaseEntry, flight: Flight): void {
    this.#flights.delete(flight);
    entry.flight = undefined;
    this.#schedule(entry);
  }

  #noteFailure(entry: LeaseEntry, error: unknown): void {
    noteFailure(entry, error, this.#now(), this.#parts.random);
    if (!(error instanceof ImdsgateError)) this.#parts.emit(bugEvent("leases", error));
  }

  /** Sets the one timer of an entry that is still ours. */
  #schedule(entry: LeaseEntry): void {
    entry.cancelTimer();
    if (!this.#isRunning || this.#isHandedOver || this.#entries.get(entry.key) !== entry || entry.flight !== undefined) return;
    const at = nextFlightAt(entry, this.#now());
    if (at === undefined) return;
    const purpose = entry.lease ? "renewal" : "prefetch";
    entry.cancelTimer = this.#parts.clock.after(Math.max(0, at - this.#now()), () => {
      // It comes early where the clock was set back meanwhile.
      if (this.#begin(entry, purpose) === undefined) this.#schedule(entry);
    });
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}
