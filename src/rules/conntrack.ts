import type { RunCommand } from "../run-command.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "./rule-set.ts";

/**
 * What became of connections that were open before the rules: `ended`, or why the kernel still remembers them. Those
 * that go through this host end all the same, since their packets are no longer forwarded; they only linger.
 */
export type OldFlows = "ended" | "no-conntrack-tool" | "not-ended";

const FAMILIES = [
  { name: "ipv4", address: IMDS_IPV4 },
  { name: "ipv6", address: IMDS_IPV6 },
] as const;

/**
 * Makes the kernel forget the flows that the IMDS addresses themselves answer, and only those: of a flow that was redirected the answer could
 * not find its way back. It never throws.
 */
export async function endOldFlows(run: RunCommand): Promise<OldFlows> {
  const outcomes: OldFlows[] = [];
  for (const { name, address } of FAMILIES) {
    const { exitCode, stderr, isMissing } = await run("conntrack", ["-D", "-f", name, "--orig-dst", address, "--reply-src", address]);
    if (isMissing) return "no-conntrack-tool";
    // conntrack calls it a failure when there was no such flow.
    outcomes.push(exitCode === 0 || stderr.includes(" 0 flow entries") ? "ended" : "not-ended");
  }
  return outcomes.includes("not-ended") ? "not-ended" : "ended";
}
