/** Connections open at once (docs/contract.md, R4). */
const PER_WORKLOAD = 64;
const IN_ALL = 1_024;

/** All addresses that the inventory does not know share one budget under this name. */
const UNLISTED = "unlisted";

type Admission =
  | { readonly kind: "admitted"; release(): void }
  | { readonly kind: "over"; readonly limit: "workload-limit" | "total-limit" };

export interface Limits {
  /** Counts one more connection of `address`, or says which limit is reached. `release` exactly once, when it is closed. */
  admit(address: string): Admission;
}

/** Counts open connections by source address, so that one noisy container cannot starve another. */
export function createLimits(isListed: (address: string) => boolean): Limits {
  const open = new Map<string, number>();
  let total = 0;

  function count(name: string, difference: 1 | -1): void {
    const left = (open.get(name) ?? 0) + difference;
    if (left === 0) open.delete(name);
    else open.set(name, left);
    total += difference;
  }

  return {
    admit(address) {
      const name = isListed(address) ? address : UNLISTED;
      if (total >= IN_ALL) return { kind: "over", limit: "total-limit" };
      if ((open.get(name) ?? 0) >= PER_WORKLOAD) return { kind: "over", limit: "workload-limit" };
      count(name, 1);
      return { kind: "admitted", release: () => count(name, -1) };
    },
  };
}
