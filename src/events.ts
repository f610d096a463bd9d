/**
 * What is worth telling. Rooms emit these as plain data; only `observability/` turns them into lines and numbers.
 * No event has a field that could hold a secret access key, a session token or an IMDS token.
 */
export type ImdsgateEvent =
  | { readonly kind: "starting"; readonly version: string; readonly upstream: string; readonly runtime: string }
  | { readonly kind: "stopping"; readonly reason: string }
  | { readonly kind: "config-warning"; readonly message: string }
  /** Another gateway takes this one's place: so many leases were given to it, or taken by it; undefined: what was handed over cannot be read. */
  | { readonly kind: "handover"; readonly step: "given" | "taken"; readonly leases: number | undefined }
  | { readonly kind: "handover-failed"; readonly message: string }
  | { readonly kind: "rules-chosen"; readonly backend: string; readonly reason: string }
  | { readonly kind: "rules-applied"; readonly backend: string; readonly parts: "closed" | "all" }
  | { readonly kind: "rules-note"; readonly message: string }
  /** Somebody changed our rules, and they are back; `repairs` since the start, this one included. */
  | {
      readonly kind: "rules-repaired";
      readonly backend: string;
      readonly parts: "closed" | "all";
      readonly found: string;
      readonly repairs: number;
    }
  /** They are changed again and again: for `backOffMs` containers have no metadata at all. */
  | { readonly kind: "rules-flapping"; readonly backend: string; readonly found: string; readonly backOffMs: number }
  | { readonly kind: "rules-unkept"; readonly backend: string; readonly message: string }
  /** Somebody asked for it: the rules are no longer kept, until the next start. */
  | { readonly kind: "rules-released"; readonly backend: string }
  /** How containers with the host's network are caught: `window` is how long one that starts can reach the real IMDS. */
  | { readonly kind: "host-network"; readonly window: "none" | "short" | "uncovered"; readonly reason: string }
  /** Containers (short ids) that the bridge guard cannot hold to their addresses, since their place on a bridge is not certain. */
  | { readonly kind: "guard-gap"; readonly containers: readonly string[] }
  | { readonly kind: "host-facts"; readonly region: string; readonly account: string | undefined }
  | { readonly kind: "host-facts-missing"; readonly missing: "region" | "account"; readonly message: string }
  | { readonly kind: "runtime-connected"; readonly runtime: string; readonly workloads: number }
  | { readonly kind: "runtime-disconnected"; readonly runtime: string; readonly message: string }
  | { readonly kind: "runtime-note"; readonly runtime: string; readonly message: string }
  | { readonly kind: "runtime-slow"; readonly runtime: string; readonly address: string; readonly waitedMs: number }
  | { readonly kind: "workload-seen"; readonly workload: WorkloadFacts }
  | { readonly kind: "workload-gone"; readonly workload: WorkloadFacts }
  | { readonly kind: "address-doubled"; readonly address: string; readonly claimants: readonly string[] }
  | ({ readonly kind: "vend"; readonly workload: WorkloadFacts } & RequestFacts & VendFacts)
  | ({ readonly kind: "refuse"; readonly workload: WorkloadFacts | undefined; readonly reason: RefusalReason } & RequestFacts & {
        readonly roleArn?: string;
        readonly binding?: string;
        /** What the operator has to know besides, as a sentence. */
        readonly detail?: string;
      })
  /** A container that keeps this host's role was answered by the real IMDS with what is the host's own. */
  | ({ readonly kind: "host-role"; readonly workload: WorkloadFacts | undefined; readonly outcome: "relayed" | "cut" } & RequestFacts)
  | ({ readonly kind: "serve"; readonly workload: WorkloadFacts | undefined } & RequestFacts)
  | ({ readonly kind: "relay"; readonly workload: WorkloadFacts | undefined; readonly outcome: "relayed" | "cut" } & RequestFacts)
  | ({ readonly kind: "sts-call" } & StsCallFacts)
  | { readonly kind: "base-credentials"; readonly source: string; readonly accessKeyId: string; readonly expiresAt: number | undefined }
  /** `leftMs` of those that are kept; undefined where none with an end are. */
  | { readonly kind: "base-credentials-failing"; readonly message: string; readonly leftMs: number | undefined }
  | ({ readonly kind: "role-refused" } & RoleRefusedFacts)
  /** `count` of them since the last one told; `address` is the last one's, since all unlisted ones are told together. */
  | {
      readonly kind: "connection-refused";
      readonly address: string;
      readonly reason: "workload-limit" | "total-limit";
      readonly count: number;
    }
  | { readonly kind: "bug"; readonly where: string; readonly message: string; readonly stack: string };

/** Receives each event. It never throws and never blocks. */
export type Emit = (event: ImdsgateEvent) => void;

/** Who asked, as the audit line shows it. */
export interface WorkloadFacts {
  readonly name: string;
  /** The full container id; undefined for a static workload. */
  readonly id: string | undefined;
  readonly image: string | undefined;
}

export interface RequestFacts {
  readonly address: string;
  readonly method: string;
  /** The path without its query, cut to 256 characters. */
  readonly path: string;
  readonly route: string;
  /** The status answered; undefined where the connection was closed without an answer. */
  readonly status: number | undefined;
  readonly userAgent: string | undefined;
  readonly durationMs: number;
}

/** What was given: as CloudTrail shows whatever is done with it. */
export interface VendFacts {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly sourceIdentity: string | undefined;
  readonly accessKeyId: string;
  readonly expiresAt: number;
  /** The binding that decided, as the operator wrote it. */
  readonly binding: string;
}

export interface StsCallFacts {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly outcome: "ok" | "denied" | "invalid" | "throttled" | "unavailable" | "base-refused" | "answer-bad";
  readonly purpose: "request" | "prefetch" | "renewal";
  /**
   * How long the call was held back before it was made, in milliseconds, and for what: the `budget` of calls that all leases share, the
   * pause before another try of the same (`retry`), or the `backoff` after failed ones, a minute after a denial. Where it waited twice,
   * both times together by the name of the longer. 0 and undefined: it was made at once.
   */
  readonly waitedMs: number;
  readonly waitedFor: "budget" | "retry" | "backoff" | undefined;
  /** Of the call itself. */
  readonly durationMs: number;
  readonly accessKeyId: string | undefined;
  readonly message: string | undefined;
}

/** A role that STS lets imdsgate not assume, and what the operator has to add. */
export interface RoleRefusedFacts {
  readonly roleArn: string;
  /** As GetCallerIdentity names it; undefined where it did not. */
  readonly callerArn: string | undefined;
  /** JSON: the statements that the role's trust policy lacks. */
  readonly trustStatements: string;
  /** JSON: what the caller's own policies need besides; undefined where both are in one account. */
  readonly identityStatement: string | undefined;
  /** What to look at in them, as sentences. */
  readonly hint: string;
}

/** Why a request did not get what it asked for. A closed list: it is a metric label. */
export type RefusalReason =
  | "malformed"
  | "ambiguous-path"
  | "guarded-path"
  | "denied-path"
  | "unknown-source"
  | "doubled-address"
  | "spoofed-source"
  | "starting"
  | "method"
  | "expectation"
  | "token"
  | "no-binding"
  | "unfit-session"
  | "wrong-role"
  | "old-version"
  | "host-facts-unknown"
  | "sts-denied"
  | "sts-unavailable"
  | "upstream-unavailable"
  | "bug";

/** An unforeseen throw as an event; `where` names the room. */
export function bugEvent(where: string, error: unknown): ImdsgateEvent {
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  return { kind: "bug", where, message, stack };
}
