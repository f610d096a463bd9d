/** Connections open at once (docs/contract.md, R4). */
const PER_WORKLOAD = 64;
const IN_ALL = 1_024;

/** All addresses that the inventory does not know share one budget under this name. */
const UNLISTED = "unlisted";

/** `budget` is what it counts towards: the address, or the name that all unlisted ones share. */
type Admission = { readonly kind: "admitted"; readonly budget: string; release(): void } | Over;

/** A connection that is over a limit. */
export interface Over {
  readonly kind: "over";
  readonly limit: "workload-limit" | "total-limit";
  readonly budget: string;
}

export interface Limits {
  /** Counts one more connection of `address`, or says which limit is reached. `release` exactly once, when it is closed. */
  admit(address: string): Admission;
}

/** Counts open connections by source address, so that one noisy container cannot starve another. */
export function createLimits(isListed: (address: string) => boolean): Limits {
  const open = new Map<string, number>();
  let total = 0;

  function count(budget: string, difference: 1 | -1): void {
    const left = (open.get(budget) ?? 0) + difference;
    if (left === 0) open.delete(budget);
    else open.set(budget, left);
    total += difference;
  }

  return {
    admit(address) {
      const budget = isListed(address) ? address : UNLISTED;
      if (total >= IN_ALL) return { kind: "over", limit: "total-limit", budget };
      if ((open.get(budget) ?? 0) >= PER_WORKLOAD) return { kind: "over", limit: "workload-limit", budget };
      count(budget, 1);
      return { kind: "admitted", budget, release: () => count(budget, -1) };
    },
  };
}
