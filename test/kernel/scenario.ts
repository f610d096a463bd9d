import type { Backend, BackendName } from "../../src/rules/backend.ts";
import type { BridgeGuardSet } from "../../src/rules/bridge-guard-set.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { HostNetworkCapture, RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import type { Namespace } from "./namespace.ts";
import type { Network } from "./network.ts";

/** One tool that holds the rules, and the program by which the foreign rules of a scenario go in. */
export interface Tool {
  readonly name: BackendName;
  readonly foreign: string;
  readonly make: (run: RunCommand) => Backend;
}

export const TOOLS: readonly Tool[] = [
  { name: "nftables", foreign: "iptables-nft", make: nftablesBackend },
  { name: "iptables-nft", foreign: "iptables-nft", make: (run) => iptablesBackend(run, "nft") },
  { name: "iptables-legacy", foreign: "iptables-legacy", make: (run) => iptablesBackend(run, "legacy") },
];

/** A request that somebody makes. */
export interface Question {
  /** `host`, `lan`, `ca`, `cb`, or who was made for the scenario. */
  readonly from: string;
  readonly host: string;
  /** 80 unless said. */
  readonly port?: number;
  /** The address to ask from; unless said the one that the way out has. */
  readonly source?: string;
  /** Whether it is asked over a connection that was opened before the rules. */
  readonly isOld?: true;
}

/** What a scenario needs besides the network that all share. */
export interface Arranged {
  readonly places?: Readonly<Record<string, Namespace>>;
  readonly hostNetwork?: HostNetworkCapture;
  /** What the bridge guard is told, which goes in with the rules. */
  readonly guard?: BridgeGuardSet;
}

/** Where a scenario is arranged; what it put there it takes away by `after`. */
export interface Stage {
  readonly network: Network;
  readonly foreign: string;
  readonly after: AsyncDisposableStack;
}

/** What the answers are: `gateway saw SOURCE on ADDRESS`, `decoy saw …`, `silence`, … in the order of the questions. */
type Answers = readonly string[];

/** One row of the table in docs/rules.md, and the test of it under each tool. */
export interface Scenario {
  readonly name: string;
  readonly questions: readonly Question[];
  readonly arrange?: (stage: Stage) => Promise<Arranged | undefined>;
  /** Whether it is arranged after the rules; else before. */
  readonly isLate?: true;
  /** Whether it can be tried by root alone. */
  readonly needsRoot?: true;
  /** `all` unless said. */
  readonly parts?: RuleSet["parts"];
  /** Without any rule of ours. */
  readonly without: Answers;
  readonly wanted: Answers | Readonly<Record<BackendName, Answers>>;
}

/** The answers that are wanted of one tool. */
export function wantedFrom({ wanted }: Scenario, tool: BackendName): Answers {
  return "nftables" in wanted ? wanted[tool] : wanted;
}
