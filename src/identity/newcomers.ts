import type { ContainerCgroups } from "./container-cgroups.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import type { Roster } from "./roster.ts";
import { familyOf } from "./source.ts";

/** Containers of which no event has told yet: one of them may have joined a network namespace that we know. */
export interface Newcomers {
  /**
   * Finds out in whose network namespace those are that may be where `address` is, which the container `ownerId` owns: to be done before anybody is
   * served there. Undefined where there are none; else whether there was an answer about each. It never rejects.
   */
  place(address: string, ownerId: string): Promise<boolean> | undefined;
  /** Whether there are more than can be looked at with each connection: before everything was listed, that is. */
  areTooMany(): boolean;
}

interface NewcomersParts {
  readonly roster: Pick<Roster, "isPlaced" | "version" | "isHeard" | "place" | "seekJoiners" | "haveAllCgroups">;
  readonly processTable: ProcessTable;
  readonly cgroups: ContainerCgroups;
}

const MANY = 32;

/**
 * A container has its cgroup before its first process, so before anything that it sends. Whoever stands there and is not placed yet is judged
 * by the kernel: a newcomer none of whose processes own the address is not the one who speaks. All are placed in passing, so that they are
 * not looked at again. Where a container may have no cgroup of its own, or one that cannot be seen from here, the runtime is asked each time.
 */
export function createNewcomers({ roster, processTable, cgroups }: NewcomersParts): Newcomers {
  let seen: unknown;
  let version: unknown;
  let strangers: ReadonlyMap<string, string> = new Map();

  function renewed(): ReadonlyMap<string, string> {
    const standing = cgroups.standing();
    if (standing === seen && version === roster.version() && strangers.size === 0) return strangers;
    seen = standing;
    version = roster.version();
    strangers = new Map([...standing].filter(([id]) => !roster.isPlaced(id)));
    return strangers;
  }

  /** Whether it may own `address`: also where the kernel does not tell. */
  function mayOwn(directory: string, address: string): boolean {
    const processes = cgroups.processesIn(directory);
    if (processes === undefined) return true;
    return processes.some((pid) => {
      const owned = processTable.ownedAddresses(pid, familyOf(address));
      return owned === UNREADABLE || (typeof owned === "object" && owned.has(address));
    });
  }

  /** Those that may be where `address` is. */
  function near(address: string): readonly string[] {
    const found = [...renewed()];
    if (found.length === 0) return [];
    const ids = found.flatMap(([id, directory]) => (mayOwn(directory, address) ? [id] : []));
    if (roster.isHeard()) void roster.place(found.map(([id]) => id));
    return ids;
  }

  return {
    place(address, ownerId) {
      const shown = near(address);
      const answers = [
        ...(shown.length > 0 ? [roster.place(shown)] : []),
        ...(roster.haveAllCgroups && !cgroups.isBlind() ? [] : [roster.seekJoiners(ownerId)]),
      ];
      return answers.length > 0 ? Promise.all(answers).then((all) => all.every(Boolean)) : undefined;
    },
    areTooMany: () => !roster.isHeard() && renewed().size > MANY,
  };
}
