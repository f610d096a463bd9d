import { type Clock, sleep } from "../clock.ts";
import type { FollowCommand } from "../run-command.ts";
import type { BackendName } from "./backend.ts";

/** Calls `onChange` whenever rules may have changed, at least once soon after the start, until `signal` aborts. It never rejects. */
export type WatchRules = (onChange: () => void, signal: AbortSignal) => Promise<void>;

/** A line of `nft monitor` that may be about a chain of ours, or about one that calls ours. */
const CONCERNS: Readonly<Record<Exclude<BackendName, "iptables-legacy">, RegExp>> = {
  nftables: / inet imdsgate(-closed)?\b/,
  "iptables-nft": /^\S+ (table ip6? (nat|mangle|filter)$|.*\b(IMDSGATE-\S+|PREROUTING|FORWARD|INPUT)\b)/,
};

const POLL_MS = 500;
/** Until `nft monitor` surely listens; what changed before is seen by the look then. */
const LISTENS_AFTER_MS = 250;
const RESTART_MS = 500;

/** nftables tells of every change, also of those by iptables-nft; of iptables-legacy nothing tells, so that is looked at twice a second. */
export function ruleChanges(backend: BackendName, follow: FollowCommand, clock: Clock): WatchRules {
  return backend === "iptables-legacy" ? polled(clock) : monitored(CONCERNS[backend], follow, clock);
}

function polled(clock: Clock): WatchRules {
  return async (onChange, signal) => {
    while (!signal.aborted) {
      onChange();
      await sleep(clock, POLL_MS, signal);
    }
  };
}

/** Where the monitor does not stay alive, its restarts come to the same as polling. */
function monitored(concerns: RegExp, follow: FollowCommand, clock: Clock): WatchRules {
  return async (onChange, signal) => {
    while (!signal.aborted) {
      const cancel = clock.after(LISTENS_AFTER_MS, onChange);
      await follow("nft", ["monitor"], (line) => concerns.test(line) && onChange(), signal);
      cancel();
      onChange();
      await sleep(clock, RESTART_MS, signal);
    }
  };
}
