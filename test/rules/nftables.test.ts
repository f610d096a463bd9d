import { describe, expect, test } from "vitest";
import { nftablesBackend, nftScript } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import { scriptedRun } from "./scripted-run.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["ens5"], workloadInterfaces: [] };

const CLOSED_CHAINS = `  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    ip daddr 169.254.169.254 counter drop
    ip6 daddr fd00:ec2::254 counter drop
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    tcp dport 18169 ct status dnat ct original ip daddr 169.254.169.254 ct original proto-dst 80 counter accept
    tcp dport 18169 ct status dnat ct original ip6 daddr fd00:ec2::254 ct original proto-dst 80 counter accept
    tcp dport 18169 counter drop
    iifname != "lo" ip daddr 169.254.169.254 counter drop
    iifname != "lo" ip6 daddr fd00:ec2::254 counter drop
  }
}
`;

const HEAD = "add table inet imdsgate\ndelete table inet imdsgate\ntable inet imdsgate {\n";

describe("the text for nft", () => {
  test("redirects from every interface but loopback and the uplinks", () => {
    expect(nftScript(ALL)).toBe(`${HEAD}  chain prerouting {
    type nat hook prerouting priority dstnat - 10; policy accept;
    iifname "lo" return
    iifname "ens5" return
    ip daddr 169.254.169.254 tcp dport 80 counter redirect to :18169
    ip6 daddr fd00:ec2::254 tcp dport 80 counter redirect to :18169
  }
${CLOSED_CHAINS}`);
  });

  test("redirects from the named interfaces alone, uplink or not", () => {
    expect(nftScript({ ...ALL, workloadInterfaces: ["docker0", "br-*"] })).toBe(`${HEAD}  chain prerouting {
    type nat hook prerouting priority dstnat - 10; policy accept;
    iifname "lo" return
    iifname "docker0" ip daddr 169.254.169.254 tcp dport 80 counter redirect to :18169
    iifname "docker0" ip6 daddr fd00:ec2::254 tcp dport 80 counter redirect to :18169
    iifname "br-*" ip daddr 169.254.169.254 tcp dport 80 counter redirect to :18169
    iifname "br-*" ip6 daddr fd00:ec2::254 tcp dport 80 counter redirect to :18169
  }
${CLOSED_CHAINS}`);
  });

  test("takes a lone * for every interface, the uplinks too", () => {
    expect(nftScript({ ...ALL, workloadInterfaces: ["*"] })).toBe(`${HEAD}  chain prerouting {
    type nat hook prerouting priority dstnat - 10; policy accept;
    iifname "lo" return
    ip daddr 169.254.169.254 tcp dport 80 counter redirect to :18169
    ip6 daddr fd00:ec2::254 tcp dport 80 counter redirect to :18169
  }
${CLOSED_CHAINS}`);
  });

  test("has no redirect in the closed part", () => {
    expect(nftScript({ ...ALL, parts: "closed" })).toBe(`${HEAD}${CLOSED_CHAINS}`);
  });
});

describe("the nftables backend", () => {
  test("loads its text in one transaction", async () => {
    const { run, calls } = scriptedRun({ "nft -f -": {} });
    await nftablesBackend(run).apply(ALL);
    expect(calls).toEqual([`nft -f -\n${nftScript(ALL)}`]);
  });

  test("removes nothing, and says so, where its table is not there", async () => {
    const { run, calls } = scriptedRun({ "nft list tables": { stdout: "table ip nat\ntable inet imdsgate2\n" } });
    expect(await nftablesBackend(run).remove()).toBe(false);
    expect(calls).toEqual(["nft list tables"]);
  });

  test("removes its table alone", async () => {
    const { run, calls } = scriptedRun({
      "nft list tables": { stdout: "table ip nat\ntable inet imdsgate\n" },
      "nft delete table inet imdsgate": {},
    });
    expect(await nftablesBackend(run).remove()).toBe(true);
    expect(calls).toEqual(["nft list tables", "nft delete table inet imdsgate"]);
  });
});
