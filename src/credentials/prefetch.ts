import type { Cancel, Clock } from "../clock.ts";
import type { Workload } from "../identity/workload.ts";
import type { Decision, Grant } from "../policy/decide.ts";
import { leaseKey } from "./lease.ts";

export interface PrefetchParts {
  readonly clock: Clock;
  readonly decide: (workload: Workload) => Decision;
  readonly leases: { prefetch(grant: Grant): void; drop(grant: Grant): void };
}

/** Keeps leases ready for the workloads that are here, before they ask (docs/contract.md, N5). */
export interface Prefetch {
  seen(workload: Workload): void;
  gone(workload: Workload): void;
  /** Looks again at every workload that is here: host facts that a grant needs are known now. */
  lookAgain(): void;
  stop(): void;
}

/** A workload that is gone for so long is not coming back soon: its lease is renewed no more. */
const KEEP_MS = 300_000;

interface Present {
  readonly workload: Workload;
  /** The lease that it was given when it was last looked at; undefined where it was given none. */
  readonly leaseKey: string | undefined;
}

/** A lease that is kept ready. Workloads share one where the operator's session names make no difference between them. */
interface KeptLease {
  readonly grant: Grant;
  /** The workloads that are here and have it. */
  readonly users: Set<string>;
  /** Ends the timer that its last user set by leaving. */
  cancelDrop: Cancel;
}

export function createPrefetch({ clock, decide, leases }: PrefetchParts): Prefetch {
  const here = new Map<string, Present>();
  const kept = new Map<string, KeptLease>();

  function look(workload: Workload): void {
    const decision = decide(workload);
    const user = keyOf(workload);
    const grant = decision.kind === "grant" ? decision.grant : undefined;
    const given = grant && leaseKey(grant);
    const before = here.get(user)?.leaseKey;
    here.set(user, { workload, leaseKey: given });
    // An address that came or went can lead to another binding.
    if (before !== given) leave(user, before);
    if (grant === undefined || given === undefined) return;
    keep(user, given, grant);
    leases.prefetch(grant);
  }

  function keep(user: string, key: string, grant: Grant): void {
    const lease = kept.get(key) ?? { grant, users: new Set(), cancelDrop() {} };
    kept.set(key, lease);
    lease.cancelDrop();
    lease.users.add(user);
  }

  function leave(user: string, key: string | undefined): void {
    const lease = key === undefined ? undefined : kept.get(key);
    if (key === undefined || lease === undefined) return;
    lease.users.delete(user);
    if (lease.users.size > 0) return;
    lease.cancelDrop = clock.after(KEEP_MS, () => {
      kept.delete(key);
      leases.drop(lease.grant);
    });
  }

  return {
    seen: look,
    gone(workload) {
      const user = keyOf(workload);
      const left = here.get(user);
      here.delete(user);
      leave(user, left?.leaseKey);
    },
    lookAgain() {
      for (const { workload } of [...here.values()]) look(workload);
    },
    stop() {
      for (const { cancelDrop } of kept.values()) cancelDrop();
    },
  };
}

function keyOf({ id, name }: Workload): string {
  return id === undefined ? `static ${name}` : `${id} ${name}`;
}
