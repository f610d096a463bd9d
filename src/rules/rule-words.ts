import type { ListedChain } from "./rule-differences.ts";

/** What a chain or a set of ours does, or a chain that calls ours, in one line for people. */
export function chainInWords({ name, rules }: ListedChain): string {
  return `${name}: ${purposeOf(name, rules)}`;
}

function purposeOf(name: string, rules: readonly string[]): string {
  // The first word is the family: what holds for IPv4 holds for IPv6.
  const [family, ...rest] = name.split(" ");
  const chain = rest.join(" ");
  const purpose = (family === "bridge" ? BRIDGE_GUARD_PURPOSES : PURPOSES)[chain];
  if (purpose === undefined) return callsInWords(rules);
  return typeof purpose === "string" ? purpose : purpose(rules);
}

type Purposes = Readonly<Record<string, string | ((rules: readonly string[]) => string)>>;

const REDIRECT = (rules: readonly string[]) => redirectInWords(rules, "what containers ask");
const OWN_REDIRECT = (rules: readonly string[]) => redirectInWords(rules, "what host-network containers ask");
const FORWARD = "drops what is on its way to the metadata addresses";
const INPUT = "lets only redirected connections into the gateway's port";
const OUTPUT_CLOSED = "drops what else host-network containers send to the metadata addresses";

/** By table and chain. */
const PURPOSES: Purposes = {
  "imdsgate prerouting": REDIRECT,
  "nat IMDSGATE-PRE": REDIRECT,
  "imdsgate output": OWN_REDIRECT,
  "nat IMDSGATE-OUT": OWN_REDIRECT,
  "imdsgate forward": FORWARD,
  "imdsgate-closed forward": FORWARD,
  "mangle IMDSGATE-FWD": FORWARD,
  "imdsgate output-closed": OUTPUT_CLOSED,
  "imdsgate-closed output-closed": OUTPUT_CLOSED,
  "mangle IMDSGATE-POST": OUTPUT_CLOSED,
  "imdsgate-cgroups output-guard":
    "holds back what a new cgroup of this host sends to the metadata addresses until imdsgate has looked at it, for 60 s at a time",
  "imdsgate input": INPUT,
  "mangle IMDSGATE-IN": INPUT,
  "filter IMDSGATE-IN": "lets redirected connections in, whatever else this host refuses",
};

/** The bridge guard, by table and chain or set: that of nft, then that of ebtables. */
const BRIDGE_GUARD_PURPOSES: Purposes = {
  "imdsgate prerouting": "drops what a container says in another's name: MAC, ARP, neighbour discovery, requests to the metadata addresses",
  "imdsgate set alive": "holds for 30 s at a time: once it is empty, for no gateway renews it, everybody passes",
  "imdsgate set veths": "the ports that lead to containers",
  "imdsgate set macs": "the MACs of containers",
  "imdsgate set ports": "which MAC belongs behind which port",
  "imdsgate set addresses4": "the IPv4 addresses of containers and bridges",
  "imdsgate set endpoints4": "which IPv4 address may speak from which port and MAC",
  "imdsgate set addresses6": "the IPv6 addresses of containers and bridges",
  "imdsgate set endpoints6": "which IPv6 address may speak from which port and MAC",
  "imdsgate set targets6": "the IPv6 addresses once more, as neighbour discovery writes them",
  "imdsgate set claims6": "which of those may be claimed from which port and MAC",
  "imdsgate set bridges": "the bridges that were told not to learn MACs from link-local frames, to be undone",
  "nat IMDSGATE-GUARD": "hands each frame that could speak in another's name to the chains below",
  "nat IMDSGATE-MAC": "drops the MAC of a container behind another's port",
  "nat IMDSGATE-VETH": "drops what no container may send at all",
  "nat IMDSGATE-ARP": "drops ARP in another's name",
  "nat IMDSGATE-ND": "drops neighbour discovery from another's address",
  "nat IMDSGATE-IP4": "drops requests to the metadata address from another's address",
  "nat IMDSGATE-IP6": "drops requests to the metadata address of IPv6 from another's address",
  "nat IMDSGATE-BRIDGES": "calls nothing: the bridges that were told not to learn MACs from link-local frames, to be undone",
};

function redirectInWords(rules: readonly string[], what: string): string {
  const [, port] = /(?:redirect to :|--to-ports )(\d+)/.exec(rules.join("\n")) ?? [];
  return port === undefined ? "redirects nothing" : `hands ${what} of the metadata addresses to the gateway at port ${port}`;
}

function callsInWords(rules: readonly string[]): string {
  const called = rules.map((rule) => /-j (IMDSGATE-\S+)/.exec(rule)?.[1] ?? "something else");
  return called.some((one) => one !== "something else") ? `calls ${called.join(" and ")}` : "nothing of imdsgate's making";
}
