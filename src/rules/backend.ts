import type { RuleSet } from "./rule-set.ts";

export type BackendName = "nftables" | "iptables-nft" | "iptables-legacy";

/** One tool's way of putting a rule set into the kernel. */
export interface Backend {
  readonly name: BackendName;
  /** Replaces our rules as a whole. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED. */
  apply(ruleSet: RuleSet): Promise<void>;
  /** Leaves the host as it was before our first `apply`, and tells whether there was anything of ours. Throws like `apply`, after it has tried all. */
  remove(): Promise<boolean>;
  /** The port that a redirect of ours leads to; undefined where none stands. Throws like `apply`. */
  redirectPort(): Promise<number | undefined>;
  /** The text that `apply` would load on a host that has none of our rules, for people to read. */
  render(ruleSet: RuleSet): string;
}
