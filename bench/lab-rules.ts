import { writeFileSync } from "node:fs";
import { runTool } from "./run-tool.ts";

/** What clients ask for the servers that are compared with imdsgate: an address of no one (RFC 5737), which is redirected as IMDS's is. */
export const REDIRECTED_HOST = "192.0.2.1";

/** A redirect of the same kind as imdsgate's own, at the same hook, that keeps the port. */
const REDIRECT = `table ip bench {
  chain prerouting {
    type nat hook prerouting priority dstnat - 10; policy accept;
    ip daddr ${REDIRECTED_HOST} ip protocol tcp counter redirect
  }
}
`;

/** In seconds: a new connection for each request would fill the kernel's table of connections with ended ones, which it keeps for two minutes. */
const TIMEOUTS = { time_wait: 1, close: 1, fin_wait: 5, last_ack: 5, close_wait: 5 } as const;

/** Puts the redirect of the compared servers in. Undefined when it stands, else what keeps this network from having rules. */
export function putRedirectIn(): string | undefined {
  try {
    runTool(["nft", "-f", "-"], REDIRECT);
    for (const [state, seconds] of Object.entries(TIMEOUTS)) {
      writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_${state}`, `${seconds}`);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  }
}
