import { aborted } from "../aborted.ts";
import { type Cancel, type Clock, hasPassed } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { BaseCredentials } from "./assume-role.ts";
import { type BaseCredentialPlaces, loadBaseCredentials, noBaseCredentials } from "./load-base-credentials.ts";

/** The keys that imdsgate speaks to STS with. Both reject with BASE_CREDENTIALS_UNAVAILABLE. */
export interface BaseCredentialSource {
  /** At once while those that are kept have not ended. */
  current(): Promise<BaseCredentials>;
  /** Others than `refused`, or the same ones loaded anew; undefined where they were loaded anew in the last 30 s, and are the same. */
  renewed(refused: BaseCredentials): Promise<BaseCredentials | undefined>;
}

/** Kept, and loaded anew behind the scenes from 5 minutes before they end (docs/contract.md, S8), while `run` runs also unasked. */
export interface KeptBaseCredentials extends BaseCredentialSource {
  /** Ends when `signal` aborts, and with it what is under way. After that nothing is loaded. */
  run(signal: AbortSignal): Promise<void>;
}

export interface BaseCredentialParts extends BaseCredentialPlaces {
  readonly emit: Emit;
}

const EARLY_MS = 5 * 60_000;
/** How often others are looked for while the kept ones last. */
const RETRY_MS = 30_000;
/** IMDS has the next ones 5 minutes before the end at the latest: only now it is late. */
const LATE_MS = 4 * 60_000;
const TELL_MS = 60_000;
/** How long a call to STS waits for them. */
const WAIT_MS = 5_000;

/** Keys that the operator gives come first, then the instance's own role. Nothing is loaded before it is asked for. */
export function createBaseCredentials(parts: BaseCredentialParts): KeptBaseCredentials {
  const keeper = new Keeper(parts);
  // As functions: they are handed on one by one.
  return {
    current: () => keeper.current(),
    renewed: (refused) => keeper.renewed(refused),
    run: (signal) => keeper.run(signal),
  };
}

class Keeper {
  readonly #parts: BaseCredentialParts;
  readonly #tellTrouble: TellTrouble;
  readonly #ended = new AbortController();
  #isRunning = false;
  #held: BaseCredentials | undefined;
  #flight: Promise<BaseCredentials> | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  /** When refused ones were last loaded anew: STS that refuses everybody must not make each call load them. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: Cancel = () => {};

  constructor(parts: BaseCredentialParts) {
    this.#parts = parts;
    this.#tellTrouble = troubleTeller(parts);
  }

  async current(): Promise<BaseCredentials> {
    const held = this.#held;
    if (!held || this.#leftMs(held) <= 0) return await this.#load();
    if (this.#dueAt(held) <= this.#parts.clock.now()) this.#loadBehind();
    return held;
  }

  async renewed(refused: BaseCredentials): Promise<BaseCredentials | undefined> {
    if (this.#held && this.#held !== refused) return this.#held;
    const now = this.#parts.clock.now();
    if (this.#flight === undefined && !hasPassed(this.#renewedAt, RETRY_MS, now)) return undefined;
    this.#renewedAt = now;
    return await this.#load();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    this.#schedule();
    await aborted(signal);
    this.#isRunning = false;
    this.#cancelTimer();
    this.#ended.abort();
    await this.#flight?.catch(() => {});
  }

  /** One load for all who ask meanwhile. */
  #load(): Promise<BaseCredentials> {
    if (this.#flight !== undefined) return this.#flight;
    this.#triedAt = this.#parts.clock.now();
    this.#cancelTimer();
    this.#flight = this.#loadTold().finally(() => {
      this.#flight = undefined;
      this.#schedule();
    });
    return this.#flight;
  }

  /** The event tells of a failure. */
  #loadBehind(): void {
    void this.#load().catch(() => {});
  }

  async #loadTold(): Promise<BaseCredentials> {
    try {
      return this.#take(await loadBaseCredentials(this.#parts, this.#ended.signal));
    } catch (error) {
      if (error instanceof ImdsgateError && !this.#ended.signal.aborted) this.#tellTrouble(error.message, this.#held?.expiresAt);
      throw error;
    }
  }

  /** The same ones stay the same object, by which the connection to STS is kept. */
  #take(loaded: BaseCredentials): BaseCredentials {
    const held = this.#held;
    if (held && isSame(held, loaded)) {
      if (this.#leftMs(held) <= LATE_MS) this.#tellTrouble(`${held.source} has no newer ones`, held.expiresAt);
      return held;
    }
    this.#held = loaded;
    const { source, accessKeyId, expiresAt } = loaded;
    this.#parts.emit({ kind: "base-credentials", source, accessKeyId, expiresAt });
    return loaded;
  }

  #schedule(): void {
    this.#cancelTimer();
    if (!this.#isRunning || this.#held?.expiresAt === undefined) return;
    const waitMs = this.#dueAt(this.#held) - this.#parts.clock.now();
    this.#cancelTimer = this.#parts.clock.after(Math.max(0, waitMs), () => this.#look());
  }

  /** A timer that came early is set again. */
  #look(): void {
    if (this.#held && this.#dueAt(this.#held) <= this.#parts.clock.now()) this.#loadBehind();
    else this.#schedule();
  }

  /** When others are to be looked for. */
  #dueAt({ expiresAt = Number.POSITIVE_INFINITY }: BaseCredentials): number {
    const isFree = hasPassed(this.#triedAt, RETRY_MS, this.#parts.clock.now());
    return Math.max(expiresAt - EARLY_MS, isFree ? Number.NEGATIVE_INFINITY : this.#triedAt + RETRY_MS);
  }

  #leftMs({ expiresAt = Number.POSITIVE_INFINITY }: BaseCredentials): number {
    return expiresAt - this.#parts.clock.now();
  }
}

/** What `load` gives, waited for 5 s at most. Rejects with BASE_CREDENTIALS_UNAVAILABLE then, or when `signal` aborts. */
export function baseInTime<T>(load: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  return withDeadline({ clock, ms: WAIT_MS, signal, late: () => noBaseCredentials(`none came within ${WAIT_MS / 1_000} s`) }, load);
}

type TellTrouble = (message: string, expiresAt: number | undefined) => void;

/** Tells that there are no others, and how long the kept ones last, once a minute at most. */
function troubleTeller({ clock, emit }: BaseCredentialParts): TellTrouble {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (message, expiresAt) => {
    const now = clock.now();
    if (!hasPassed(toldAt, TELL_MS, now)) return;
    toldAt = now;
    emit({ kind: "base-credentials-failing", message, leftMs: expiresAt === undefined ? undefined : Math.max(0, expiresAt - now) });
  };
}

function isSame(one: BaseCredentials, other: BaseCredentials): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken &&
    one.expiresAt === other.expiresAt
  );
}
