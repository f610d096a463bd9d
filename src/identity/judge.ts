import { type Freshness, freshnessOf, type Proof } from "./freshness.ts";
import type { Claimant } from "./inventory.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";
import { isUnderGuard, type SourceGuard } from "./source-guard.ts";
import type { Workload } from "./workload.ts";

/** What the kernel bears out, at this moment, of who is said to be behind a connection. */
export interface Claims {
  /** Proven. Two of them are two claimants of one place: nobody then. */
  readonly live: readonly Workload[];
  /** Ids of containers that are said to be there and not proven yet. */
  readonly pending: readonly string[];
  /** Those who own the address, while the connection is somebody else's. */
  readonly spoofed: readonly Workload[];
  /** Ids of containers without a process that may have one by now, in the namespace of one that is proven: they are to be asked about first. */
  readonly joiners: readonly string[];
}

export interface JudgeParts {
  readonly roster: Roster;
  readonly processTable: ProcessTable;
  readonly guard: SourceGuard;
  /** Whether two workloads may have the same: then it does not matter which of them speaks. */
  readonly isAlike: (one: Workload, other: Workload) => boolean;
}

/** Judges the claims on a connection's source address. A claim that the kernel does not bear out counts for nothing, and is learned anew. */
export function createJudge({ roster, processTable, guard, isAlike }: JudgeParts): (source: Source) => Claims {
  function proofFor({ workload }: Claimant, source: Source): Proof {
    return isUnderGuard(guard, workload.id, source) ? "address" : "socket";
  }

  /**
   * Containers that joined the namespace of `owner` and would be given something else: the address does not tell them apart. One whose process
   * is gone may have another one by now.
   */
  function sharersUnlike(owner: Claimant, source: Source): Claims {
    const { sharers, joiners } = roster.sharersOf(owner.workload.id);
    const judged = sharers
      .filter((sharer) => !isAlike(owner.workload, sharer.workload))
      .map(({ workload, ...sharer }) => ({ workload, freshness: freshnessOf(processTable, { workload, ...sharer }, source, "address") }));
    const those = (meant: Freshness) => judged.filter(({ freshness }) => freshness === meant).map(({ workload }) => workload);
    return {
      live: those("fresh"),
      pending: those("unprovable").map(({ id }) => id),
      spoofed: [],
      joiners: [...joiners, ...those("dead").map(({ id }) => id)],
    };
  }

  /** What a claim that is not borne out leads to; whether somebody is still to be proven. */
  function isPending(freshness: Exclude<Freshness, "fresh" | "spoofed">, id: string): boolean {
    if (freshness === "dead") roster.drop(id);
    if (freshness === "moved") void roster.learn([id]);
    return freshness === "unprovable";
  }

  return (source) => {
    const { claimants, pending: unlearned } = roster.claimsOn(source.address);
    const live: Workload[] = [];
    const pending = [...unlearned];
    const spoofed: Workload[] = [];
    const joiners: string[] = [];
    for (const claimant of claimants) {
      const { workload } = claimant;
      const freshness = freshnessOf(processTable, claimant, source, proofFor(claimant, source));
      if (freshness === "fresh") {
        const sharers = sharersUnlike(claimant, source);
        live.push(workload, ...sharers.live);
        pending.push(...sharers.pending);
        joiners.push(...sharers.joiners);
      } else if (freshness === "spoofed") spoofed.push(workload);
      else if (isPending(freshness, workload.id)) pending.push(workload.id);
    }
    return { live, pending, spoofed, joiners };
  };
}

/** The container that a path in the cgroup2 tree names, whatever stands around its id; the innermost one. The name of one directory: `containerIdOf`. */
export function containerIdIn(cgroup: string): string | undefined {
  return cgroup.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)?.at(-1);
}

/** Judges who holds a socket of this host, by the cgroup of the process that made it: the container's own process must be in that very one, or above. */
export function judgeHostSocket({ roster, processTable }: JudgeParts, id: string, cgroup: string): Claims {
  const claimant = roster.claimant(id);
  if (claimant === undefined) return { ...NOTHING, pending: [id] };
  const { pid, startTime, workload } = claimant;
  const before = processTable.startTime(pid);
  const own = processTable.cgroup(pid);
  const after = processTable.startTime(pid);
  if ([before, own, after].includes(UNREADABLE)) return { ...NOTHING, pending: [id] };
  if (before !== startTime || after !== startTime || typeof own !== "string") {
    roster.drop(id);
    return { ...NOTHING, pending: [id] };
  }
  const isOwn = own !== "" && (cgroup === own || cgroup.startsWith(`${own}/`));
  return isOwn ? { ...NOTHING, live: [workload] } : { ...NOTHING, spoofed: [workload] };
}

const NOTHING: Claims = { live: [], pending: [], spoofed: [], joiners: [] };
