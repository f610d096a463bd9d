/** What the kernel's bridge guard vouches for: from an address that it holds, nobody but its container can speak. */
export interface SourceGuard {
  /** Since when it holds `address` for the container `id`, in milliseconds since the epoch; undefined while it does not. */
  heldSince(id: string, address: string): number | undefined;
}

/** Where there is no guard every connection is proven by its socket. */
export const UNGUARDED: SourceGuard = { heldSince: () => undefined };

/** A connection may have stood in the backlog since before the guard held: what is accepted so soon after is proven by its socket. */
const SETTLED_MS = 1_000;

/** Whether a connection accepted at `acceptedAt` came in under the guard. */
export function isUnderGuard(guard: SourceGuard, id: string, { address, acceptedAt }: { address: string; acceptedAt: number }): boolean {
  const since = guard.heldSince(id, address);
  return since !== undefined && acceptedAt >= since + SETTLED_MS;
}
