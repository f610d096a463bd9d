import { ImdsgateError } from "../errors.ts";
import type { BackendName } from "./backend.ts";

/** What the operator asked for with `--rules`. */
export type RulesWish = "auto" | "nftables" | "iptables";

/** One variant of iptables on this host, and what stands in its tables (IPv4, ours left out). */
export interface IptablesProbe {
  /** What this host calls it: `iptables-nft`, `iptables-legacy`, or plain `iptables`. */
  readonly program: string;
  readonly holdsRules: boolean;
  /** Docker's chain is in its nat table. */
  readonly hasDocker: boolean;
  /** Its INPUT chain refuses what no rule of it allows. */
  readonly refusesInput: boolean;
}

/** What a look at the host found. */
export interface RulesProbe {
  readonly hasNft: boolean;
  /** What nft says of a table like ours on this kernel (before 5.2 there is no nat in a table for both families); undefined: nothing against it. */
  readonly nftProblem: string | undefined;
  /** Whose rules are in nftables without iptables: `firewalld`, `Docker`. */
  readonly nftOwners: readonly string[];
  readonly nft: IptablesProbe | undefined;
  readonly legacy: IptablesProbe | undefined;
  /** Which variant the plain name `iptables` means here. */
  readonly standard: "nft" | "legacy" | undefined;
  /** False when this process may not see the kernel's rules: then the claims about rules above are all false. */
  readonly maySeeRules: boolean;
}

export interface BackendChoice {
  readonly backend: BackendName;
  /** The program of an iptables backend. */
  readonly program: string;
  /** Why, in one sentence. */
  readonly reason: string;
}

/** Chooses what puts the rules in. The operator's wish wins over what was seen. Throws RULES_TOOL_MISSING naming what to install. */
export function chooseBackend(wish: RulesWish, probe: RulesProbe): BackendChoice {
  const choice = wish === "auto" ? choiceByProbe(probe) : choiceByWish(wish, probe);
  if (probe.maySeeRules) return choice;
  return { ...choice, reason: `${choice.reason.replace(/\.$/, "")}; without root the rules of other programs could not be looked at.` };
}

function choiceByWish(wish: "nftables" | "iptables", probe: RulesProbe): BackendChoice {
  if (wish === "iptables") return iptablesChoice("--rules iptables asks for iptables", probe);
  if (probe.hasNft) return { backend: "nftables", program: "nft", reason: "--rules nftables asks for it." };
  throw missing(
    '--rules nftables needs the program "nft", which is not on this host. Install the package "nftables", or use --rules iptables.',
  );
}

function choiceByProbe(probe: RulesProbe): BackendChoice {
  const strict = variantWhere(probe, ({ refusesInput }) => refusesInput);
  if (strict !== undefined) {
    const { backend, program } = iptablesOf(probe, strict);
    return {
      backend,
      program,
      reason: "INPUT of iptables refuses what it does not know, and only a rule in that very chain lets redirected requests in.",
    };
  }
  if (!probe.hasNft) return iptablesChoice("nft is not installed", probe);
  if (probe.nftProblem !== undefined) return iptablesChoice(`nft cannot do it on this kernel (${probe.nftProblem})`, probe);
  const owners =
    probe.nftOwners.length === 0 ? "" : ` ${probe.nftOwners.join(" and ")} ${probe.nftOwners.length === 1 ? "uses" : "use"} it too.`;
  return {
    backend: "nftables",
    program: "nft",
    reason: `nft is installed, and a table of our own outlives what others do to iptables.${owners}`,
  };
}

/** The variant that this host's packets already meet: Docker's, else the one with rules, else what `iptables` means. */
function iptablesChoice(why: string, probe: RulesProbe): BackendChoice {
  const candidates = [
    { variant: variantWhere(probe, ({ hasDocker }) => hasDocker), because: "Docker's rules are in this variant" },
    { variant: variantWhere(probe, ({ holdsRules }) => holdsRules), because: "the rules of this host are in this variant" },
    { variant: variantWhere(probe, (found) => found === probe[probe.standard ?? "nft"]), because: "this is what iptables means here" },
    { variant: variantWhere(probe, () => true), because: "it is the only variant here" },
  ];
  for (const { variant, because } of candidates) {
    if (variant !== undefined) return { ...iptablesOf(probe, variant), reason: `${why}, and ${because}.` };
  }
  throw missing(`${why}, and iptables is not installed. Install the package "nftables" (or "iptables"), or run with --rules none.`);
}

function variantWhere(probe: RulesProbe, holds: (variant: IptablesProbe) => boolean): "nft" | "legacy" | undefined {
  if (probe.nft !== undefined && holds(probe.nft)) return "nft";
  return probe.legacy !== undefined && holds(probe.legacy) ? "legacy" : undefined;
}

function iptablesOf(probe: RulesProbe, variant: "nft" | "legacy"): { backend: BackendName; program: string } {
  return { backend: `iptables-${variant}`, program: probe[variant]?.program ?? `iptables-${variant}` };
}

function missing(message: string): ImdsgateError {
  return new ImdsgateError("RULES_TOOL_MISSING", message);
}
