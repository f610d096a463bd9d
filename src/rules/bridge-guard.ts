import { hasCode } from "../errors.ts";
import type { RunCommand } from "../run-command.ts";
import type { BackendName, StandingRules } from "./backend.ts";
import { type BridgeGuardSet, type BridgeGuardState, changedParts, refuseUnlikelySet } from "./bridge-guard-set.ts";
import type { BridgeGuardTool } from "./bridge-guard-tool.ts";
import { endLinkLocalLearning, listBridgesOf, listLearningAmong, resumeLinkLocalLearning } from "./bridge-learning.ts";
import { ebtablesBridgeGuardTool } from "./ebtables-bridge-guard.ts";
import { nftBridgeGuardScript, nftBridgeGuardTool } from "./nft-bridge-guard.ts";
import { type ListedChain, type RuleDifference, ruleDifferences } from "./rule-differences.ts";
import { isDenied } from "./tool.ts";
import { tryEach } from "./try-each.ts";

/** Holds containers to their own addresses on the host's bridges. Its calls must not overlap. */
export interface BridgeGuard {
  readonly tool: "nft" | "ebtables";
  /**
   * Puts `set` in: whole the first time, after `forget`, and where a change alone fails; else only what changed. Each is one transaction. Throws
   * RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED, also for a set that rules cannot hold. When a bridge cannot be told how to learn
   * (kernel before 5.0), all rules stand by then.
   */
  put(set: BridgeGuardSet): Promise<void>;
  /** The next `put` is whole: somebody has changed what stood. */
  forget(): void;
  /** To be called every 10 s: a guard that nobody keeps alive lets everybody through after 30 s (nft), or stands (ebtables). Throws like `put`. */
  keepAlive(): Promise<void>;
  /** Everything of ours out, the host as before; whether there was anything. Throws like `put`. */
  remove(): Promise<boolean>;
  /** What the kernel lacks or has too much of for what `put` put in last; nothing before that. Throws like `put`. */
  differences(): Promise<readonly RuleDifference[]>;
  /** What stands of ours, whoever put it in. Throws like `put`. */
  standing(): Promise<StandingRules>;
}

/** The guard by nftables, which judges all that a container may say of addresses. */
export function nftBridgeGuard(run: RunCommand): BridgeGuard {
  return guardBy(nftBridgeGuardTool(run), run);
}

/** The guard by ebtables; `program` is what this host calls it. What it cannot judge: see `ebtables-bridge-guard.ts`. */
export function ebtablesBridgeGuard(run: RunCommand, program: string): BridgeGuard {
  return guardBy(ebtablesBridgeGuardTool(run, program), run);
}

function guardBy(tool: BridgeGuardTool, run: RunCommand): BridgeGuard {
  let last: BridgeGuardState | undefined;
  /** Whether `last` is what stands, as far as we know. */
  let isStanding = false;
  /** Bridges that need no look: they have been told, or somebody else told them before. */
  let settled = new Set<string>();

  /** Ends the learning of the bridges behind `interfaces`, each remembered before it is told. Gives the state with those. */
  async function settleBridges(state: BridgeGuardState, interfaces: readonly string[]): Promise<BridgeGuardState> {
    const bridges = (await listBridgesOf(run, interfaces)).filter((bridge) => !settled.has(bridge));
    const learning = await listLearningAmong(run, bridges);
    const after = { ...state, bridges: [...new Set([...state.bridges, ...learning])] };
    if (after.bridges.length > state.bridges.length) await tool.change({ ...state, ports: [] }, { ...after, ports: [] });
    await tryEach(learning, (bridge) => endLinkLocalLearning(run, bridge));
    for (const bridge of bridges) settled.add(bridge);
    return after;
  }

  /** Ours, by what stands and, where somebody has taken that out, by what we did. */
  async function rememberedBridges(): Promise<readonly string[]> {
    return [...new Set([...(last?.bridges ?? []), ...(await tool.bridges())])];
  }

  function forget(): void {
    isStanding = false;
    settled = new Set();
  }

  return {
    tool: tool.name,
    async put(set) {
      const before = isStanding ? last : undefined;
      const state = { ...set, bridges: before?.bridges ?? (await rememberedBridges()) };
      isStanding = false;
      await load(tool, before, state);
      last = await settleBridges(state, newPorts(before, set));
      isStanding = true;
    },
    forget,
    keepAlive: tool.keepAlive,
    async remove() {
      // First the bridges, which only these rules remember.
      for (const bridge of await rememberedBridges()) await resumeLinkLocalLearning(run, bridge);
      forget();
      last = undefined;
      return tool.remove();
    },
    async differences() {
      if (last === undefined) return [];
      const { chains } = await tool.standing();
      const learning = await listLearningAmong(run, last.bridges);
      return [
        ...chainDifferences(tool.wanted(last), chains),
        ...learning.map((bridge) => ({
          kind: "missing" as const,
          part: "closed" as const,
          chain: `bridge ${bridge}`,
          rule: "no_linklocal_learn 1",
        })),
      ];
    },
    standing: () => tool.standing(),
  };
}

/** Replaces all, or where `before` stands only what differs. */
async function load(tool: BridgeGuardTool, before: BridgeGuardState | undefined, after: BridgeGuardState): Promise<void> {
  if (before === undefined) {
    refuseUnlikelySet(after);
    return tool.replace(after);
  }
  const parts = changedParts(before, after);
  refuseUnlikelySet(parts.after);
  try {
    await tool.change(parts.before, parts.after);
  } catch (error) {
    // What stood is not what we put in: somebody has been at it.
    if (!hasCode(error, "RULES_FAILED")) throw error;
    await tool.replace(after);
  }
}

function newPorts(before: BridgeGuardSet | undefined, { ports }: BridgeGuardSet): readonly string[] {
  const known = new Set(before?.ports.map(({ interfaceName }) => interfaceName));
  return ports.map(({ interfaceName }) => interfaceName).filter((name) => !known.has(name));
}

/** `ruleDifferences` compares each rule with each other, which is too much for thousands that are equal. */
function chainDifferences(wanted: readonly ListedChain[], standing: readonly ListedChain[]): readonly RuleDifference[] {
  const textOf = ({ name, rules }: ListedChain) => [name, ...rules].join("\n");
  const without = (chains: readonly ListedChain[], others: readonly ListedChain[]) => {
    const texts = new Set(others.map(textOf));
    return chains.filter((chain) => !texts.has(textOf(chain)));
  };
  return ruleDifferences(without(wanted, standing), without(standing, wanted));
}

/**
 * Which guard this host can have; changes nothing. nft comes first whatever `backend` is: its table stands beside iptables of either kind,
 * it judges what ebtables cannot, and its sets cost the same for one port and for thousands.
 */
export async function probeBridgeGuard(
  run: RunCommand,
  backend: BackendName,
): Promise<{ readonly guard: BridgeGuard } | { readonly problem: string }> {
  const script = nftBridgeGuardScript({ ports: [], hostAddresses: [], bridges: [] });
  const nft = await run("nft", ["--check", "-f", "-"], script);
  if (nft.exitCode === 0) return { guard: nftBridgeGuard(run) };
  const programs = { nftables: [], "iptables-nft": ["ebtables-nft", "ebtables"], "iptables-legacy": ["ebtables-legacy", "ebtables"] }[
    backend
  ];
  const without = nft.isMissing ? "nft is not installed" : `nft says "${firstLineOf(nft.stderr)}"`;
  for (const program of programs) {
    const wants = backend === "iptables-nft" ? /nf_tables/ : /^(?!.*nf_tables)/;
    const version = await run(program, ["-V"]);
    if (version.exitCode !== 0 || !wants.test(version.stdout)) continue;
    const refusal = await ebtablesRefusal(run, program, backend);
    return refusal === undefined
      ? { guard: ebtablesBridgeGuard(run, program) }
      : { problem: `There is no bridge guard: ${without}, and ${program} says "${refusal}". ${HELP}` };
  }
  return {
    problem: `There is no bridge guard: ${without}${programs.length === 0 ? "" : ", and there is no ebtables of this kind"}. ${HELP}`,
  };
}

/** A program of ebtables-legacy is often there without its part of the kernel. Undefined also where this process may not find out. */
async function ebtablesRefusal(run: RunCommand, program: string, backend: BackendName): Promise<string | undefined> {
  if (backend !== "iptables-legacy") return undefined;
  const listed = await run(program, ["-t", "nat", "-L"]);
  return listed.exitCode === 0 || isDenied(listed) ? undefined : firstLineOf(listed.stderr);
}

function firstLineOf(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}

const HELP = 'Install the package "nftables" (0.9.4 or later, on a kernel with bridge support in nftables).';
