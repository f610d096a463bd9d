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

export function createPrefetch({ clock, decide, leases }: PrefetchParts): Prefetch {
  const here = new Map<string, Workload>();
  const leaving = new Map<string, Cancel>();

  function grantFor(workload: Workload): Grant | undefined {
    const decision = decide(workload);
    return decision.kind === "grant" ? decision.grant : undefined;
  }

  function prefetch(workload: Workload): void {
    const grant = grantFor(workload);
    if (grant) leases.prefetch(grant);
  }

  /** Workloads share a lease where the operator's session names make no difference between them: the last one takes it along. */
  function drop(workload: Workload): void {
    leaving.delete(keyOf(workload));
    const grant = grantFor(workload);
    const isShared = [...here.values()].some((other) => {
      const held = grantFor(other);
      return grant !== undefined && held !== undefined && leaseKey(held) === leaseKey(grant);
    });
    if (grant && !isShared) leases.drop(grant);
  }

  return {
    seen(workload) {
      const key = keyOf(workload);
      leaving.get(key)?.();
      leaving.delete(key);
      here.set(key, workload);
      prefetch(workload);
    },
    gone(workload) {
      const key = keyOf(workload);
      if (here.delete(key))
        leaving.set(
          key,
          clock.after(KEEP_MS, () => drop(workload)),
        );
    },
    lookAgain() {
      for (const workload of here.values()) prefetch(workload);
    },
    stop() {
      for (const cancel of leaving.values()) cancel();
      leaving.clear();
    },
  };
}

function keyOf({ id, name }: Workload): string {
  return id === undefined ? `static ${name}` : `${id} ${name}`;
}
