import type { ContainerCgroups } from "./container-cgroups.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import type { Roster } from "./roster.ts";
import { familyOf } from "./source.ts";

/** Containers that the kernel shows and the runtime has not told of: one of them may have joined a network namespace that we know. */
export interface Newcomers {
  /** Ids of those that may be where `address` is. They are to be placed before anybody is served there. */
  at(address: string): readonly string[];
  /** Whether there are more than can be looked at with each connection: before everything was listed, that is. */
  areTooMany(): boolean;
}

interface NewcomersParts {
  readonly roster: Pick<Roster, "isPlaced" | "version" | "isHeard" | "place">;
  readonly processTable: ProcessTable;
  readonly cgroups: ContainerCgroups;
}

const MANY = 32;

/**
 * A container has its cgroup before its first process, so before anything that it sends. Whoever stands there and is not placed yet is judged
 * by the kernel: a newcomer none of whose processes own the address is not the one who speaks. All are placed in passing, so that they are
 * not looked at again.
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

  return {
    at(address) {
      const found = [...renewed()];
      if (found.length === 0) return [];
      const near = found.flatMap(([id, directory]) => (mayOwn(directory, address) ? [id] : []));
      if (roster.isHeard()) void roster.place(found.map(([id]) => id));
      return near;
    },
    areTooMany: () => !roster.isHeard() && renewed().size > MANY,
  };
}
