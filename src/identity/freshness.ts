import type { Claimant } from "./inventory.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import { familyOf, meantEndpoints, type Source } from "./source.ts";

/**
 * fresh: it is this very process and owns the address. moved: it lives, but owns the address no more. dead: it is gone. spoofed: it owns the
 * address, and the connection is not its own. unprovable: the kernel cannot be asked at this moment.
 */
export type Freshness = "fresh" | "moved" | "dead" | "spoofed" | "unprovable";

/** `address`: that it owns the address is proof enough, since the kernel lets nobody else speak from it. `socket`: it must hold the connection. */
export type Proof = "address" | "socket";

/**
 * What the kernel says of a claim at this moment. The start time is read before and after: between the two it was one process, so the
 * addresses and sockets are that process's own. An address that went on to a new container can therefore never speak for the old one.
 */
export function freshnessOf(processTable: ProcessTable, { pid, startTime }: Claimant, source: Source, proof: Proof): Freshness {
  const before = processTable.startTime(pid);
  const owned = processTable.ownedAddresses(pid, familyOf(source.address));
  const isOwner = typeof owned === "object" && owned.has(source.address);
  const isHolder = isOwner && proof === "socket" ? processTable.holdsConnection(pid, connectionsOf(source)) : true;
  const after = processTable.startTime(pid);
  const isOther = [before, after].some((found) => found !== startTime && found !== UNREADABLE);
  if (isOther || owned === undefined || isHolder === undefined) return "dead";
  if ([before, owned, isHolder, after].includes(UNREADABLE)) return "unprovable";
  if (!isOwner) return "moved";
  return isHolder === true ? "fresh" : "spoofed";
}

function connectionsOf(source: Source) {
  const from = { host: source.address, port: source.port };
  return meantEndpoints(source).map((to) => ({ from, to }));
}
