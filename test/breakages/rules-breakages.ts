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
];
