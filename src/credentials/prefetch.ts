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
  /** What it was given when it was last looked at. */
  readonly grant: Grant | undefined;
}

export function createPrefetch({ clock, decide, leases }: PrefetchParts): Prefetch {
  const here = new Map<string, Present>();
  /** The ends of leases that the last workload with such a grant left behind, by lease. */
  const leaving = new Map<string, Cancel>();

  function look(workload: Workload): void {
    const decision = decide(workload);
    const grant = decision.kind === "grant" ? decision.grant : undefined;
    const before = here.get(keyOf(workload))?.grant;
    here.set(keyOf(workload), { workload, grant });
    // An address that came or went can lead to another binding.
    if (before && !isSame(before, grant)) leave(before);
    if (!grant) return;
    stay(grant);
    leases.prefetch(grant);
  }

  function stay(grant: Grant): void {
    leaving.get(leaseKey(grant))?.();
    leaving.delete(leaseKey(grant));
  }

  function leave(grant: Grant): void {
    stay(grant);
    leaving.set(
      leaseKey(grant),
      clock.after(KEEP_MS, () => drop(grant)),
    );
  }

  /** Workloads share a lease where the operator's session names make no difference between them: the last one takes it along. */
  function drop(grant: Grant): void {
    leaving.delete(leaseKey(grant));
    const isShared = [...here.values()].some((other) => isSame(grant, other.grant));
    if (!isShared) leases.drop(grant);
  }

  return {
    seen: look,
    gone(workload) {
      const left = here.get(keyOf(workload));
      here.delete(keyOf(workload));
      if (left?.grant) leave(left.grant);
    },
    lookAgain() {
      for (const { workload } of [...here.values()]) look(workload);
    },
    stop() {
      for (const cancel of leaving.values()) cancel();
      leaving.clear();
    },
  };
}

function isSame(grant: Grant, other: Grant | undefined): boolean {
  return other !== undefined && leaseKey(other) === leaseKey(grant);
}

function keyOf({ id, name }: Workload): string {
  return id === undefined ? `static ${name}` : `${id} ${name}`;
}
