import type { StsCallFacts } from "../../../src/events.ts";
import type { StsTurn } from "../../support/scripted-sts-server.ts";
import type { Call } from "./sts-texts.ts";

export type Outcome = StsCallFacts["outcome"];

/** What goes wrong, for the calls of one role or, on the way to STS, for all. */
export type Trouble =
  | { readonly kind: "answer"; readonly answer: (call: Call) => StsTurn }
  | { readonly kind: "certificate"; readonly shown: "expired" | "of another name" | "of an unknown authority" }
  /** What the name of STS leads to: an address where nobody listens, or the resolver's refusal. */
  | { readonly kind: "name"; readonly leadsTo: "127.0.0.9" | "ENOTFOUND" | "EAI_AGAIN" }
  /** imdsgate's own credentials have ended, and there are no others. */
  | { readonly kind: "base" };

/** One row of docs/credentials.md and one test: a fault of STS, and what a container and an operator see of it. */
export interface Fault {
  /** What STS does, or what is wrong. */
  readonly title: string;
  /** Clauses of docs/contract.md. */
  readonly rule: string;
  readonly trouble: Trouble;
  /** The outcome of each call of one flight, as the event `sts-call` tells it. */
  readonly outcomes: readonly Outcome[];
  /** How long each of these calls takes, by imdsgate's clock; nothing where it is left out. */
  readonly takesMs?: readonly number[];
  /** The session that is asked for, in place of an hour. */
  readonly durationSeconds?: number;
  /** What a container gets that has no valid lease. One that has is given that lease, whatever the row. */
  readonly without: "the lease" | "the error document" | "500" | "500, then the lease";
  /** When STS is asked the next time. */
  readonly next: "backoff" | "denial" | "renewal";
}
