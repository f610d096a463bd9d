import type { Sighting } from "./inventory.ts";

/** Containers that are known to be in nobody else's network namespace, which stays true for as long as they exist; those of no runtime too. */
export interface Placed {
  has(id: string): boolean;
  /** Takes note of what was learned of a container. */
  note(sighting: Sighting): void;
}

/** The oldest ones are forgotten first: they would only be asked about anew. */
const MOST = 8192;

export function createPlaced(): Placed {
  const apart = new Set<string>();
  const add = (id: string) => {
    apart.delete(id);
    apart.add(id);
    const [oldest] = apart;
    if (apart.size > MOST && oldest !== undefined) apart.delete(oldest);
  };
  return {
    has: (id) => apart.has(id),
    note(sighting) {
      const found = placeIn(sighting);
      if (found?.isApart === true) add(found.id);
      if (found?.isApart === false) apart.delete(found.id);
    },
  };
}

function placeIn(sighting: Sighting): { readonly id: string; readonly isApart: boolean } | undefined {
  switch (sighting.kind) {
    case "container":
      return { id: sighting.claimant.workload.id, isApart: sighting.claimant.namespace.kind !== "shared" };
    case "container-idle":
      return { id: sighting.id, isApart: sighting.ownerId === undefined };
    case "container-gone":
      return { id: sighting.id, isApart: true };
    default:
      return undefined;
  }
}
