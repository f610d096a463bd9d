import { expect, test } from "vitest";
import { normalNftRule, parseNftChains } from "../../src/rules/nft-chains.ts";
import { nftScript } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["ens5"], workloadInterfaces: [] };

/** `nft list table inet imdsgate` and `… imdsgate-closed`, 1.0.6, after a few packets. */
const LISTED = `table inet imdsgate {
	chain prerouting {
		type nat hook prerouting priority dstnat - 10; policy accept;
		iifname "lo" return
		iifname "ens5" return
		ip daddr 169.254.169.254 tcp dport 80 counter packets 3 bytes 180 redirect to :18169
		ip6 daddr fd00:ec2::254 tcp dport 80 counter packets 0 bytes 0 redirect to :18169
	}

	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		ip daddr 169.254.169.254 counter packets 0 bytes 0 drop
		ip6 daddr fd00:ec2::254 counter packets 0 bytes 0 drop
	}

	chain input {
		type filter hook input priority filter - 10; policy accept;
		tcp dport 18169 ct status dnat ct original ip daddr 169.254.169.254 ct original proto-dst 80 counter packets 9 bytes 720 accept
		tcp dport 18169 ct status dnat ct original ip6 daddr fd00:ec2::254 ct original proto-dst 80 counter packets 0 bytes 0 accept
		tcp dport 18169 counter packets 0 bytes 0 drop
		iifname != "lo" ip daddr 169.254.169.254 counter packets 0 bytes 0 drop
		iifname != "lo" ip6 daddr fd00:ec2::254 counter packets 0 bytes 0 drop
	}
}
table inet imdsgate-closed {
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		ip daddr 169.254.169.254 counter packets 0 bytes 0 drop
		ip6 daddr fd00:ec2::254 counter packets 0 bytes 0 drop
	}
}
`;

test("what nft lists is what we loaded, chain by chain and rule by rule", () => {
  expect(parseNftChains(LISTED)).toEqual(parseNftChains(nftScript(ALL)));
  expect(parseNftChains(LISTED).map(({ name, part, rules }) => [name, part, rules.length])).toEqual([
    ["inet imdsgate prerouting", "redirect", 5],
    ["inet imdsgate forward", "closed", 3],
    ["inet imdsgate input", "closed", 6],
    ["inet imdsgate-closed forward", "closed", 3],
  ]);
});

test("what stands in the table beside its chains is told too", () => {
  const text = "table inet imdsgate {\n\tflags dormant\n\n\tchain forward {\n\t\tip daddr 1.2.3.4 drop\n\t}\n}\n";
  expect(parseNftChains(text)).toEqual([
    { name: "inet imdsgate forward", part: "closed", rules: ["ip daddr 1.2.3.4 drop"] },
    { name: "inet imdsgate itself", part: "closed", rules: ["flags dormant"] },
  ]);
});

test.for([
  ["type nat hook prerouting priority dstnat - 10; policy accept;", "type nat hook prerouting priority -110; policy accept;"],
  ["type filter hook input priority filter + 5; policy drop;", "type filter hook input priority 5; policy drop;"],
  ["type filter hook input priority filter; policy accept;", "type filter hook input priority 0; policy accept;"],
  ["type filter hook input priority -10; policy accept;", "type filter hook input priority -10; policy accept;"],
  ["tcp dport 80 counter packets 12 bytes 34 drop", "tcp dport 80 counter drop"],
])("%s reads %s", ([line, normal]) => {
  expect(normalNftRule(line ?? "")).toBe(normal);
});
