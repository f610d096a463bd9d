import type { RunCommand } from "../run-command.ts";
import { leftoverScript } from "./added-tables.ts";
import { type BridgeGuardState, claimedAddressesOf, endpointsOf, isIpv6 } from "./bridge-guard-set.ts";
import type { BridgeGuardTool } from "./bridge-guard-tool.ts";
import { parseNftListing } from "./nft-listing.ts";
import type { ListedChain } from "./rule-differences.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "./rule-set.ts";
import { runTool } from "./tool.ts";

const OWN = "IMDSGATE-";
const JUMP = `-j ${OWN}GUARD`;
const ROUTER_WORDS = ["router-advertisement", "redirect"] as const;

/** A chain of ours: what is looked at first, then the rest. Inside of each of the two the order means nothing. */
interface Chain {
  readonly first: readonly string[];
  readonly rest: readonly string[];
}

type Chains = ReadonlyMap<string, Chain>;

/** The chains that make `state`, by name. Options stand in the order in which ebtables lists them. */
function chainsOf(state: BridgeGuardState, added: readonly string[]): Chains {
  const { ports, bridges } = state;
  const veths = unique(ports.map(({ interfaceName }) => interfaceName));
  const macs = unique(ports.flatMap((port) => port.macs));
  const pairs = unique(ports.flatMap((port) => port.macs.map((mac) => `-s ${mac} -i ${port.interfaceName}`)));
  return new Map<string, Chain>([
    [`${OWN}GUARD`, { first: [], rest: GUARD_RULES }],
    [`${OWN}MAC`, { first: pairs.map((pair) => `${pair} -j RETURN`), rest: macs.map((mac) => `-s ${mac} -j DROP`) }],
    [`${OWN}VETH`, { first: [], rest: veths.map((veth) => `-i ${veth} -j DROP`) }],
    ...addressChains(state),
    // Nothing calls these two: ebtables has no comments, so names that are to be remembered stand as those of interfaces.
    [`${OWN}BRIDGES`, { first: [], rest: unique(bridges).map((name) => `-i ${name} -j CONTINUE`) }],
    [`${OWN}ADDED`, { first: [], rest: unique(added).map((name) => `-i ${name} -j CONTINUE`) }],
  ]);
}

const GUARD_RULES: readonly string[] = [
  // It would draw the victim's answers to the sender's port.
  `-j ${OWN}MAC`,
  // The host takes a frame with a tag of VLAN 0 for one without; of an outer tag (802.1ad) ebtables does not see the number.
  `-p 802_1Q --vlan-id 0 -j ${OWN}VETH`,
  `-p 0x88a8 -j ${OWN}VETH`,
  `-p ARP -j ${OWN}ARP`,
  `-p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type 133:137/0:255 -j ${OWN}ND`,
  ...ROUTER_WORDS.map((word) => `-p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type ${word} -j ${OWN}VETH`),
  `-p IPv4 --ip-dst ${IMDS_IPV4} -j ${OWN}IP4`,
  `-p IPv6 --ip6-dst ${IMDS_IPV6} -j ${OWN}IP6`,
];

function addressChains(state: BridgeGuardState): readonly (readonly [string, Chain])[] {
  const claimed = claimedAddressesOf(state);
  const endpoints = endpointsOf(state);
  const inFamily = (wantsIpv6: boolean) => ({
    addresses: claimed.filter((address) => isIpv6(address) === wantsIpv6),
    endpoints: endpoints.filter(({ address }) => isIpv6(address) === wantsIpv6),
  });
  const [v4, v6] = [inFamily(false), inFamily(true)];
  const arp: Chain = {
    first: unique(v4.endpoints.map(({ veth, mac, address }) => `-p ARP -i ${veth} --arp-ip-src ${address} --arp-mac-src ${mac} -j RETURN`)),
    rest: unique(v4.addresses.map((address) => `-p ARP --arp-ip-src ${address} -j DROP`)),
  };
  const sources = (match: string, { addresses, endpoints: own }: typeof v4): Chain => ({
    first: unique(own.map(({ veth, mac, address }) => `-p ${match} -s ${mac} -i ${veth} ${optionOf(match)} ${address} -j RETURN`)),
    rest: unique(addresses.map((address) => `-p ${match} ${optionOf(match)} ${address} -j DROP`)),
  });
  const strict = ({ first, rest }: Chain): Chain => ({ first, rest: [`-j ${OWN}VETH`, ...rest] });
  return [
    [`${OWN}ARP`, arp],
    [`${OWN}ND`, sources("IPv6", v6)],
    [`${OWN}IP4`, strict(sources("IPv4", v4))],
    [`${OWN}IP6`, strict(sources("IPv6", v6))],
  ];
}

function optionOf(match: string): string {
  return match === "IPv4" ? "--ip-src" : "--ip6-src";
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

/** What of ours a host holds already, as far as a script must know it. */
interface Present {
  /** How often PREROUTING calls us. */
  readonly jumps: number;
  readonly chains: readonly string[];
  readonly bridges: readonly string[];
  /** Parts of nftables that were not there before us, as `nat` and `PREROUTING`. */
  readonly added: readonly string[];
}

const NOTHING: Present = { jumps: 0, chains: [], bridges: [], added: [] };

/** One `ebtables-restore --noflush` script that replaces the guard as a single transaction, whether it is there or not. */
export function ebtablesBridgeGuardScript(state: BridgeGuardState, present: Present = NOTHING): string {
  const chains = [...chainsOf(state, present.added)];
  return script([
    ...chains.map(([name]) => `:${name} RETURN`),
    ...chains.map(([name]) => `-F ${name}`),
    ...chains.flatMap(([name, { first, rest }]) => [...first, ...rest].map((rule) => `-A ${name} ${rule}`)),
    ...Array.from({ length: present.jumps }, () => `-D PREROUTING ${JUMP}`),
    `-I PREROUTING ${JUMP}`,
  ]);
}

/** The script that makes `after` of `before`, again one transaction; empty where nothing changes. */
export function ebtablesBridgeGuardChange(before: BridgeGuardState, after: BridgeGuardState): string {
  const [old, wanted] = [chainsOf(before, []), chainsOf(after, [])];
  const lines = (verbs: { readonly first: string; readonly rest: string }, these: Chains, others: Chains) =>
    [...these].flatMap(([name, { first, rest }]) => {
      const known = new Set([...(others.get(name)?.first ?? []), ...(others.get(name)?.rest ?? [])]);
      const line = (verb: string) => (rule: string) => (known.has(rule) ? [] : [`${verb} ${name} ${rule}`]);
      return [...first.flatMap(line(verbs.first)), ...rest.flatMap(line(verbs.rest))];
    });
  const changes = [...lines({ first: "-I", rest: "-A" }, wanted, old), ...lines({ first: "-D", rest: "-D" }, old, wanted)];
  return changes.length === 0 ? "" : script(changes);
}

function removalScript({ jumps, chains }: Present): string {
  return script([
    ...Array.from({ length: jumps }, () => `-D PREROUTING ${JUMP}`),
    ...chains.map((name) => `-F ${name}`),
    ...chains.map((name) => `-X ${name}`),
  ]);
}

function script(lines: readonly string[]): string {
  return ["*nat", ...lines, "COMMIT", ""].join("\n");
}

/**
 * ebtables: chains of our own, called from the first line of PREROUTING in `nat`. Every frame passes them rule by rule, so it is for hosts
 * where nft is not to be had. It does not see whom a neighbour advertisement is about: a container may still take another's IPv6 address
 * with one that it sends from its own. Workloads of such hosts have to be attested by socket as well.
 */
export function ebtablesBridgeGuardTool(run: RunCommand, program: string): BridgeGuardTool {
  const restore = (input: string) => runTool(run, { program: `${program}-restore`, args: ["--noflush"], input });
  const list = () => runTool(run, { program, args: ["-t", "nat", "-L", "--Lmac2"] });
  return {
    name: "ebtables",
    async replace(state) {
      const present = presentIn(chainsIn(await list()));
      const added = unique([...present.added, ...(await absentParts(run))]);
      await restore(ebtablesBridgeGuardScript(state, { ...present, added }));
    },
    async change(before, after) {
      const changes = ebtablesBridgeGuardChange(before, after);
      if (changes !== "") await restore(changes);
    },
    // ebtables has nothing that ends by itself.
    keepAlive: async () => {},
    async remove() {
      const present = presentIn(chainsIn(await list()));
      if (present.chains.length === 0) return false;
      await restore(removalScript(present));
      await deleteLeftovers(run, present.added);
      return true;
    },
    async bridges() {
      const { exitCode, stdout } = await run(program, ["-t", "nat", "-L", `${OWN}BRIDGES`]);
      // It fails where there is no such chain; whatever else is wrong will be told by what is done next.
      return exitCode === 0 ? presentIn(chainsIn(stdout)).bridges : [];
    },
    async standing() {
      const chains = chainsIn(await list());
      const text = chains.flatMap(({ name, rules }) => [
        `:${name.replace(/^.* /, "")} RETURN`,
        ...rules.map((rule) => `-A ${name.replace(/^.* /, "")} ${rule}`),
      ]);
      return {
        text: chains.length === 0 ? "" : `# ${program} -t nat\n${text.join("\n").replace(":PREROUTING RETURN\n", "")}\n`,
        chains: chains.filter(({ name }) => !name.endsWith(`${OWN}ADDED`)),
      };
    },
    wanted: (state) => [
      ...[...chainsOf(state, [])]
        .filter(([name]) => name !== `${OWN}ADDED`)
        .map(([name, { first, rest }]) => listed(name, [...first, ...rest].map(normalRule))),
      listed("PREROUTING", [JUMP]),
    ],
  };
}

/** Ours in what `ebtables -L` printed, and PREROUTING up to our last jump in it. */
function chainsIn(text: string): readonly ListedChain[] {
  return text.split(/^(?=Bridge chain: )/m).flatMap((part) => {
    const [, name = ""] = /^Bridge chain: (\S+), /.exec(part) ?? [];
    const [, ...lines] = part.split("\n");
    const rules = lines.filter((line) => line.trim() !== "").map(normalRule);
    if (name.startsWith(OWN)) return [listed(name, rules)];
    const last = rules.lastIndexOf(JUMP);
    return name === "PREROUTING" && last >= 0 ? [listed(name, rules.slice(0, last + 1))] : [];
  });
}

/** A rule as both variants would list it; whether it is one of those whose order means nothing is told by how it ends. */
function normalRule(rule: string): string {
  return rule
    .trim()
    .replace(/-p S-TAG\b/i, "-p 0x88a8")
    .replace(/\/ffff(:ffff){7}(?=\s)/, "");
}

function listed(name: string, rules: readonly string[]): ListedChain {
  const [first, rest] = [rules.filter((rule) => rule.endsWith("-j RETURN")), rules.filter((rule) => !rule.endsWith("-j RETURN"))];
  // A rule that lets through is in its place only ahead of all others; in GUARD and PREROUTING each place counts.
  const isOrdered = name === "PREROUTING" || name === `${OWN}GUARD` || first.some((rule, index) => rule !== rules[index]);
  return { name: `bridge nat ${name}`, part: "closed", rules: isOrdered ? rules : [...first.sort(), ...rest.sort()] };
}

function presentIn(chains: readonly ListedChain[]): Present {
  const rulesOf = (name: string) => chains.find((chain) => chain.name === `bridge nat ${name}`)?.rules ?? [];
  const namesIn = (name: string) => rulesOf(name).flatMap((rule) => /^-i (\S+) /.exec(rule)?.[1] ?? []);
  return {
    jumps: rulesOf("PREROUTING").filter((rule) => rule === JUMP).length,
    chains: chains.flatMap(({ name }) => (name.includes(OWN) ? [name.replace(/^.* /, "")] : [])),
    bridges: namesIn(`${OWN}BRIDGES`),
    added: namesIn(`${OWN}ADDED`),
  };
}

/** The parts of nftables' bridge family that ebtables-nft is about to make. None where nft cannot say. */
async function absentParts(run: RunCommand): Promise<readonly string[]> {
  const { exitCode, stdout } = await run("nft", ["-j", "list", "chains", "bridge"]);
  if (exitCode !== 0) return [];
  const { chains } = parseNftListing(stdout);
  const inNat = chains.filter(({ table }) => table === "nat");
  const hasTable = inNat.length > 0 || (await run("nft", ["-j", "list", "table", "bridge", "nat"])).exitCode === 0;
  return [...(hasTable ? [] : ["nat"]), ...(inNat.some(({ name }) => name === "PREROUTING") ? [] : ["PREROUTING"])];
}

/** Deletes what we once added, where nobody uses it by now. It never throws: an empty table that stays harms nobody. */
async function deleteLeftovers(run: RunCommand, added: readonly string[]): Promise<void> {
  if (added.length === 0) return;
  const { exitCode, stdout } = await run("nft", ["-j", "list", "table", "bridge", "nat"]);
  if (exitCode !== 0) return;
  const parts = added.map((name) => (name === "nat" ? name : `nat/${name}`));
  const leftovers = leftoverScript(parseNftListing(stdout), "bridge nat", parts);
  if (leftovers !== "") await run("nft", ["-f", "-"], leftovers);
}
