import { ipv6Bytes } from "../address.ts";
import type { RunCommand } from "../run-command.ts";
import { type BridgeGuardState, claimedAddressesOf, endpointsOf, isIpv6 } from "./bridge-guard-set.ts";
import type { BridgeGuardTool } from "./bridge-guard-tool.ts";
import { listIfThere } from "./nft-listing.ts";
import type { ListedChain } from "./rule-differences.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "./rule-set.ts";
import { runTool } from "./tool.ts";

const TABLE = "bridge imdsgate";

/** What the sets hold. The last two repeat IPv6 addresses as the bytes of a message, which nft 1.0.6 has no other name for. */
const SETS = {
  veths: "type ifname",
  macs: "type ether_addr",
  ports: "type ifname . ether_addr",
  addresses4: "type ipv4_addr",
  endpoints4: "type ifname . ether_addr . ipv4_addr",
  addresses6: "type ipv6_addr",
  endpoints6: "type ifname . ether_addr . ipv6_addr",
  targets6: "typeof @th,64,128",
  claims6: "typeof iifname . ether saddr . @th,64,128",
  /** No rule asks for it: it remembers what is to be undone. */
  bridges: "type ifname",
} as const;

type SetName = keyof typeof SETS;
type Elements = Readonly<Record<SetName, readonly string[]>>;

const SET_NAMES: readonly SetName[] = [
  "veths",
  "macs",
  "ports",
  "addresses4",
  "endpoints4",
  "addresses6",
  "endpoints6",
  "targets6",
  "claims6",
  "bridges",
];

/** How long the guard holds without us: were it for ever, a container with a dead one's address would be cut off from its network. */
const ALIVE_SECONDS = 30;
/** Every port of a bridge is of this type. */
const ALIVE_ELEMENT = `ether timeout ${ALIVE_SECONDS}s`;
const ALIVE_SET = ["  set alive {", "    type iface_type", "    flags timeout", `    elements = { ${ALIVE_ELEMENT} }`, "  }"];

const NEIGHBOUR_DISCOVERY = "{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect }";

/**
 * What the guard judges, for every frame that comes in through a port of any bridge. `meta protocol` is what the host's stack will take a
 * frame for, also behind a VLAN tag.
 */
const RULES: readonly string[] = [
  "meta iiftype != @alive accept",
  // It would draw the victim's answers to the sender's port.
  "ether saddr @macs iifname . ether saddr != @ports counter drop",
  // The host takes off tags of VLAN 0, however many. Behind one tag the rules below see what there is, behind two they do not.
  "iifname @veths meta protocol { 8021q, 8021ad } counter drop",
  "meta protocol arp arp saddr ip @addresses4 iifname . arp saddr ether . arp saddr ip != @endpoints4 counter drop",
  `meta protocol ip6 icmpv6 type ${NEIGHBOUR_DISCOVERY} ip6 saddr @addresses6 iifname . ether saddr . ip6 saddr != @endpoints6 counter drop`,
  "meta protocol ip6 icmpv6 type nd-neighbor-advert @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop",
  // From nobody's address it says that it is about to take the target; else it only asks for it.
  "meta protocol ip6 icmpv6 type nd-neighbor-solicit ip6 saddr :: @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop",
  "meta protocol ip6 icmpv6 type { nd-router-advert, nd-redirect } iifname @veths counter drop",
  ...[
    { match: "ip", address: IMDS_IPV4, version: 4 },
    { match: "ip6", address: IMDS_IPV6, version: 6 },
  ].flatMap(({ match, address, version }) => {
    const asked = `meta protocol ${match} ${match} daddr ${address}`;
    return [
      `${asked} iifname . ether saddr . ${match} saddr @endpoints${version} counter accept`,
      `${asked} iifname @veths counter drop`,
      `${asked} ${match} saddr @addresses${version} counter drop`,
    ];
  }),
];

/** One `nft -f -` script that replaces the guard as a single transaction, whether it is there or not. */
export function nftBridgeGuardScript(state: BridgeGuardState): string {
  const elements = elementsOf(state);
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    ...ALIVE_SET,
    ...SET_NAMES.flatMap((name) => [
      `  set ${name} {`,
      `    ${SETS[name]}`,
      ...(elements[name].length === 0 ? [] : [`    elements = {\n${elements[name].map((one) => `      ${one}`).join(",\n")}\n    }`]),
      "  }",
    ]),
    "  chain prerouting {",
    // Ahead of the nat chains of bridges (-300) and of br_netfilter (0).
    "    type filter hook prerouting priority -310; policy accept;",
    ...RULES.map((rule) => `    ${rule}`),
    "  }",
    "}",
    "",
  ].join("\n");
}

/** The script that makes `after` of `before`, again one transaction; empty where nothing changes. */
export function nftBridgeGuardChange(before: BridgeGuardState, after: BridgeGuardState): string {
  const [old, wanted] = [elementsOf(before), elementsOf(after)];
  const lines = (verb: "add" | "delete", these: Elements, without: Elements) =>
    SET_NAMES.flatMap((name) => {
      const others = new Set(without[name]);
      const elements = these[name].filter((element) => !others.has(element));
      return elements.length === 0 ? [] : [`${verb} element ${TABLE} ${name} { ${elements.join(", ")} }\n`];
    });
  return [...lines("add", wanted, old), ...lines("delete", old, wanted)].join("");
}

function elementsOf(state: BridgeGuardState): Elements {
  const { ports, bridges } = state;
  const claimed = claimedAddressesOf(state);
  const endpoints = endpointsOf(state);
  const quoted = (name: string) => `"${name}"`;
  const inFamily = (wantsIpv6: boolean) => ({
    addresses: claimed.filter((address) => isIpv6(address) === wantsIpv6),
    endpoints: endpoints
      .filter(({ address }) => isIpv6(address) === wantsIpv6)
      .map(({ veth, mac, address }) => ({ from: `${quoted(veth)} . ${mac}`, address })),
  });
  const [v4, v6] = [inFamily(false), inFamily(true)];
  return {
    veths: unique(ports.map(({ interfaceName }) => quoted(interfaceName))),
    macs: unique(ports.flatMap(({ macs }) => macs)),
    ports: unique(ports.flatMap(({ interfaceName, macs }) => macs.map((mac) => `${quoted(interfaceName)} . ${mac}`))),
    addresses4: unique(v4.addresses),
    endpoints4: unique(v4.endpoints.map(({ from, address }) => `${from} . ${address}`)),
    addresses6: unique(v6.addresses),
    endpoints6: unique(v6.endpoints.map(({ from, address }) => `${from} . ${address}`)),
    targets6: unique(v6.addresses.map(numberOf)),
    claims6: unique(v6.endpoints.map(({ from, address }) => `${from} . ${numberOf(address)}`)),
    bridges: unique(bridges.map(quoted)),
  };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

/** The 16 bytes of an IPv6 address as one number, as nft prints it. */
function numberOf(address: string): string {
  return `0x${BigInt(`0x${ipv6Bytes(address).toString("hex")}`).toString(16)}`;
}

/** nftables: a table of the bridge family, which may stand beside iptables of either kind. */
export function nftBridgeGuardTool(run: RunCommand): BridgeGuardTool {
  const load = (input: string) => runTool(run, { program: "nft", args: ["-f", "-"], input });
  return {
    name: "nft",
    async replace(state) {
      await load(nftBridgeGuardScript(state));
    },
    async change(before, after) {
      const script = nftBridgeGuardChange(before, after);
      if (script !== "") await load(script);
    },
    async keepAlive() {
      await load(`flush set ${TABLE} alive\nadd element ${TABLE} alive { ${ALIVE_ELEMENT} }\n`);
    },
    async remove() {
      const tables = await runTool(run, { program: "nft", args: ["list", "tables", "bridge"] });
      if (!tables.split("\n").includes(`table ${TABLE}`)) return false;
      await load(`delete table ${TABLE}\n`);
      return true;
    },
    async bridges() {
      const listing = await listIfThere(run, ["set", ...TABLE.split(" "), "bridges"]);
      return chainsIn(listing).flatMap(({ rules }) => rules.map((element) => element.replaceAll('"', "")));
    },
    async standing() {
      const text = await listIfThere(run, ["table", ...TABLE.split(" ")]);
      return { text, chains: chainsIn(text) };
    },
    wanted: (state) => chainsIn(nftBridgeGuardScript(state)),
  };
}

/** The chains in a text of nft, ours to load or listed, and each set as one more, its elements in alphabetical order. */
function chainsIn(text: string): readonly ListedChain[] {
  return text.split(/^\s+(?=(?:set|chain) \S+ \{)/m).flatMap((part) => {
    // What else stands in the table (a flag such as "dormant") is no work of ours.
    const [, flags] = /^table [^{]*\{\s*(\S[^\n]*)$/m.exec(part) ?? [];
    if (flags !== undefined && flags !== "}") return [listed("itself", [flags])];
    const [, kind, name, body = ""] = /^(set|chain) (\S+) \{\n([\s\S]*)$/.exec(part) ?? [];
    if (kind === undefined || name === undefined) return [];
    if (kind === "set") return [listed(`set ${name}`, elementsIn(body))];
    const lines = body.split("\n").map((line) => line.trim());
    return [listed(name, lines.filter((line) => line !== "" && line !== "}").map(normalRule))];
  });
}

function listed(name: string, rules: readonly string[]): ListedChain {
  return { name: `${TABLE} ${name}`, part: "closed", rules };
}

function elementsIn(body: string): readonly string[] {
  const [, elements = ""] = /elements = \{([^}]*)\}/.exec(body) ?? [];
  const texts = elements.split(",").map((element) =>
    element
      .replace(/ (?:timeout|expires) \S+/g, "")
      .replace(/\s+/g, " ")
      .trim(),
  );
  return texts.filter((element) => element !== "").sort();
}

/** A rule or a chain's first line as nft lists it: without what another match of the same rule says too. */
function normalRule(line: string): string {
  return line
    .replace("priority dstnat - 10;", "priority -310;")
    .replace(/\bmeta protocol (arp|ip|ip6) (?=\1)/, "")
    .replace(/\bmeta protocol ip6 (?=icmpv6)/, "");
}
