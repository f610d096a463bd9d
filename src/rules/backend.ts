import type { ListedChain, RuleDifference } from "./rule-differences.ts";
import type { RuleSet } from "./rule-set.ts";

export type BackendName = "nftables" | "iptables-nft" | "iptables-legacy";

/** What a tool lists of ours. */
export interface StandingRules {
  /** In the tool's own syntax; empty where nothing of ours stands. */
  readonly text: string;
  readonly chains: readonly ListedChain[];
}

/** One tool's way of putting a rule set into the kernel. */
export interface Backend {
  readonly name: BackendName;
  /** Replaces our rules as a whole. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED. */
  apply(ruleSet: RuleSet): Promise<void>;
  /** Leaves the host as it was before our first `apply`, and tells whether there was anything of ours. Throws like `apply`, after it has tried all. */
  remove(): Promise<boolean>;
  /** The port that a redirect of ours leads to; undefined where none stands. Throws like `apply`. */
  redirectPort(): Promise<number | undefined>;
  /** What of ours is in the kernel. Throws like `apply`. */
  standing(): Promise<StandingRules>;
  /** What the kernel lacks or has too much of for `ruleSet`; undefined: for nothing of ours. Throws like `apply`. */
  differences(ruleSet: RuleSet | undefined): Promise<readonly RuleDifference[]>;
  /** The text that `apply` would load on a host that has none of our rules, for people to read. */
  render(ruleSet: RuleSet): string;
}
