import type { StandingRules } from "./backend.ts";
import type { BridgeGuardState } from "./bridge-guard-set.ts";
import type { ListedChain } from "./rule-differences.ts";

/** One tool's way of putting the bridge guard into the kernel. Each of these throws as `Backend.apply` does. */
export interface BridgeGuardTool {
  readonly name: "nft" | "ebtables";
  /** Puts all of it in, in place of what stands. */
  replace(state: BridgeGuardState): Promise<void>;
  /** Puts in what differs between the two; what stands must be `before`. */
  change(before: BridgeGuardState, after: BridgeGuardState): Promise<void>;
  /** Has what stands hold on, where it would let everybody through some time after our death. */
  keepAlive(): Promise<void>;
  /** Takes all of it out, and tells whether there was anything. */
  remove(): Promise<boolean>;
  /** The bridges that what stands remembers. */
  bridges(): Promise<readonly string[]>;
  standing(): Promise<StandingRules>;
  /** What `standing` would list after `replace`; sets of elements count as chains whose order means nothing. */
  wanted(state: BridgeGuardState): readonly ListedChain[];
}
