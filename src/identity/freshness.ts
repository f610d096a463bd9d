import type { Claimant } from "./inventory.ts";
import type { ProcessTable } from "./process-table.ts";

/** fresh: it is this very process and owns the address. moved: it lives, but owns the address no more. dead: it is gone. */
export type Freshness = "fresh" | "moved" | "dead";

/**
 * What the kernel says of a claim at this moment. The start time is read before and after: between the two it was one process, so the
 * addresses are that process's own. An address that went on to a new container can therefore never speak for the old one.
 */
export function freshnessOf(processTable: ProcessTable, { pid, startTime }: Claimant, address: string): Freshness {
  if (processTable.startTime(pid) !== startTime) return "dead";
  const owned = processTable.ownedAddresses(pid);
  if (owned === undefined || processTable.startTime(pid) !== startTime) return "dead";
  return owned.has(address) ? "fresh" : "moved";
}
