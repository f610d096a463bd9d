import { type Clock, sleep } from "../clock.ts";
import type { RunCommand } from "../run-command.ts";
import { IMDS_IPV4, IMDS_PORT } from "./rule-set.ts";

const LISTINGS: readonly (readonly [program: string, ...args: string[]])[] = [
  ["nft", "list", "ruleset"],
  ["iptables-nft-save", "-t", "nat"],
  ["iptables-legacy-save", "-t", "nat"],
  ["iptables-save", "-t", "nat"],
];
const LOOK_AGAIN_MS = 1_000;

/**
 * Waits until somebody else's rules lead the IMDS address to `gatewayPort` (`--rules external`), looking once a second. `onWait` is called
 * once if they do not stand yet. Ends early when `signal` aborts. It never rejects: a tool that is missing shows no rules.
 */
export async function externalRedirect(
  { run, clock, gatewayPort }: { readonly run: RunCommand; readonly clock: Clock; readonly gatewayPort: number },
  onWait: () => void,
  signal: AbortSignal,
): Promise<void> {
  let hasWaited = false;
  while (!signal.aborted && !(await isInPlace(run, gatewayPort))) {
    if (!hasWaited) onWait();
    hasWaited = true;
    await sleep(clock, LOOK_AGAIN_MS, signal);
  }
}

async function isInPlace(run: RunCommand, gatewayPort: number): Promise<boolean> {
  for (const [program, ...args] of LISTINGS) {
    const { stdout } = await run(program, args);
    if (leadsTo(stdout, gatewayPort)) return true;
  }
  return false;
}

/** Whether a listing names the IMDS address and leads something to the port. The rules are somebody else's: their shape is not judged. */
function leadsTo(listing: string, gatewayPort: number): boolean {
  const isForImds = listing.includes(IMDS_IPV4) && new RegExp(`\\b(dport|dports) \\{? ?${IMDS_PORT}\\b`).test(listing);
  return (
    isForImds && new RegExp(`(redirect to :|dnat (ip )?to [^\\n]*:|--to-ports |--to-destination \\S+:)${gatewayPort}\\b`).test(listing)
  );
}
