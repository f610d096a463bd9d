import type { Breakage } from "./breakage.ts";

const NFT = { file: "src/rules/nftables.ts", tests: ["test/kernel/packets.test.ts"] };
const IPTABLES = { file: "src/rules/iptables.ts", tests: ["test/kernel/packets.test.ts"] };
const CLOSED = "README, security model 7";

/** What the kernel does with real packets. */
export const RULES_BREAKAGES: readonly Breakage[] = [
  {
    ...NFT,
    name: "nftables: without the redirect containers reach the real service",
    rule: CLOSED,
    search: 'address} counter drop`),\n    "}",\n  ];\n}\n\nfunction input',
    replace: 'address} counter accept`),\n    "}",\n  ];\n}\n\nfunction input',
    titled: "packets under nftables",
  },
  {
    ...NFT,
    name: "nftables: the gateway's port is open to all",
    rule: CLOSED,
    search: "gatewayPort} counter drop",
    replace: "gatewayPort} counter accept",
    titled: "packets under nftables",
  },
  {
    ...NFT,
    name: "nftables: IPv6 is forgotten",
    rule: "A3",
    search: '  { match: "ip6", address: IMDS_IPV6 },\n',
    replace: "",
    titled: "packets under nftables",
  },
  {
    ...NFT,
    name: "nftables: what comes from the uplink is redirected",
    rule: CLOSED,
    search: '" return`), ...redirects("")]',
    replace: '" continue`), ...redirects("")]',
    titled: "packets under nftables",
  },
  {
    ...IPTABLES,
    name: "iptables: without the redirect containers reach the real service",
    rule: CLOSED,
    search: "-j DROP`, `-I FORWARD",
    replace: "-j RETURN`, `-I FORWARD",
    titled: "packets under iptables-nft",
  },
  {
    ...IPTABLES,
    name: "iptables: the gateway's port is open to all",
    rule: CLOSED,
    search: "gatewayPort} -j DROP",
    replace: "gatewayPort} -j RETURN",
    titled: "packets under iptables-nft",
  },
  {
    ...IPTABLES,
    name: "iptables: IPv6 is forgotten",
    rule: "A3",
    search: '  { name: "ip6", address: IMDS_IPV6, program: "ip6tables" },\n',
    replace: "",
    titled: "packets under iptables-nft",
  },
  {
    name: "keeper: a drop that is listed in other words and then deleted is not put back",
    rule: CLOSED,
    file: "src/rules/rule-wording.ts",
    search: "excused.length === 0 ? left : found",
    replace: "left",
    tests: ["test/rules/keeper.test.ts"],
    titled: "is listed in other words and is then deleted",
  },
  {
    name: "keeper: a drop for another address is taken for ours",
    rule: CLOSED,
    file: "src/rules/rule-wording.ts",
    search: "...(words.match(SAID_BY_ALL) ?? []), ",
    replace: "",
    tests: ["test/rules/rule-wording.test.ts"],
    titled: "is not another address",
  },
  {
    name: "keeper: what it finds after a look that failed is taken for ours",
    rule: CLOSED,
    file: "src/rules/keeper.ts",
    search: "    wording ??= [];\n    const differences = await look();\n",
    replace: "    const differences = await look();\n    wording ??= [];\n",
    tests: ["test/rules/keeper.test.ts"],
    titled: "after a first look that failed",
  },
];
