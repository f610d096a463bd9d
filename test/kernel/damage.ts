import type { BackendName } from "../../src/rules/backend.ts";
import type { Namespace } from "./namespace.ts";

/** What somebody may do to our rules. */
export interface Damage {
  readonly name: string;
  /** What the keeper finds afterwards. */
  readonly kind: "missing" | "foreign";
  readonly act: (host: Namespace) => Promise<void>;
  /** Takes away what is not ours and therefore stays. */
  readonly undo?: (host: Namespace) => Promise<void>;
}

/** Whoever adds leaves something foreign; whoever deletes, flushes or replaces leaves something missing. */
const kindOf = (command: string) => (/^(add|insert)|-I /.test(command) ? "foreign" : "missing");

const nft = (command: string): Damage => ({
  name: `nft ${command}`,
  kind: kindOf(command),
  act: ({ sh }) => sh("nft", [command]).then(() => {}),
});

/** `nft` on the first rule of a chain that matches. */
function nftRule(name: string, verb: "delete" | "replace", chain: string, rule: RegExp, replacement = ""): Damage {
  return {
    name,
    kind: "missing",
    async act({ sh }) {
      const listing = await sh("nft", ["-a", "list", "chain", ...chain.split(" ")]);
      const [, handle = ""] = /# handle (\d+)$/.exec(listing.split("\n").find((line) => rule.test(line)) ?? "") ?? [];
      await sh("nft", [`${verb} rule ${chain} handle ${handle} ${replacement}`]);
    },
  };
}

const NFT: readonly Damage[] = [
  nft("flush ruleset"),
  nft("delete table inet imdsgate"),
  nft("delete table inet imdsgate-closed"),
  nft("flush table inet imdsgate"),
  nft("flush chain inet imdsgate forward"),
  nft("delete chain inet imdsgate prerouting"),
  nft("insert rule inet imdsgate forward accept"),
  nft("insert rule inet imdsgate prerouting ip daddr 169.254.169.254 accept"),
  nft("add chain inet imdsgate more"),
  nft("add table inet imdsgate { flags dormant; }"),
  nftRule("nft delete rule (the redirect)", "delete", "inet imdsgate prerouting", /redirect/),
  nftRule("nft delete rule (a drop)", "delete", "inet imdsgate-closed forward", /drop/),
  nftRule("nft replace rule (a drop by accept)", "replace", "inet imdsgate forward", /drop/, "ip daddr 169.254.169.254 accept"),
];

function iptables(program: string, command: string, undo?: string): Damage {
  const run = (text: string) => (host: Namespace) => host.sh(program, ["-w", ...text.split(" ")]).then(() => {});
  return { name: `${program} ${command}`, kind: kindOf(command), act: run(command), ...(undo === undefined ? {} : { undo: run(undo) }) };
}

function iptablesDamages(variant: "nft" | "legacy"): readonly Damage[] {
  const v4 = (command: string, undo?: string) => iptables(`iptables-${variant}`, command, undo);
  const v6 = (command: string, undo?: string) => iptables(`ip6tables-${variant}`, command, undo);
  return [
    v4("-t nat -F"),
    v4("-F"),
    v4("-t mangle -F"),
    v6("-t nat -F"),
    v4("-t nat -F IMDSGATE-PRE"),
    v4("-t nat -D PREROUTING -d 169.254.169.254 -j IMDSGATE-PRE"),
    v4("-t mangle -D FORWARD -d 169.254.169.254 -j IMDSGATE-FWD"),
    v4("-t mangle -R IMDSGATE-FWD 1 -j ACCEPT"),
    v6("-t mangle -I IMDSGATE-FWD -j ACCEPT"),
    v4("-t nat -I PREROUTING -d 169.254.169.254 -j ACCEPT", "-t nat -D PREROUTING -d 169.254.169.254 -j ACCEPT"),
    v4("-t mangle -I FORWARD -j ACCEPT", "-t mangle -D FORWARD -j ACCEPT"),
    ...(variant === "nft" ? [nft("flush ruleset"), nft("delete table ip nat"), nft("delete table ip6 mangle")] : []),
  ];
}

/** Every kind of damage that a backend's rules can take. */
export const DAMAGES: Readonly<Record<BackendName, readonly Damage[]>> = {
  nftables: NFT,
  "iptables-nft": iptablesDamages("nft"),
  "iptables-legacy": iptablesDamages("legacy"),
};
