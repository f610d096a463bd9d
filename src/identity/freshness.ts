import type { Claimant } from "./inventory.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";

/**
 * fresh: it is this very process and owns the address. moved: it lives, but owns the address no more. dead: it is gone.
 * unprovable: the kernel cannot be asked at this moment.
 */
export type Freshness = "fresh" | "moved" | "dead" | "unprovable";

/**
 * What the kernel says of a claim at this moment. The start time is read before and after: between the two it was one process, so the
 * addresses are that process's own. An address that went on to a new container can therefore never speak for the old one.
 */
export function freshnessOf(processTable: ProcessTable, { pid, startTime }: Claimant, address: string): Freshness {
  const before = processTable.startTime(pid);
  const owned = processTable.ownedAddresses(pid, address.includes(":") ? "ipv6" : "ipv4");
  const after = processTable.startTime(pid);
  const isOther = [before, after].some((found) => found !== startTime && found !== UNREADABLE);
  if (isOther || owned === undefined) return "dead";
  if (before === UNREADABLE || owned === UNREADABLE || after === UNREADABLE) return "unprovable";
  return owned.has(address) ? "fresh" : "moved";
}
