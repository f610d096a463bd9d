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
table inet imdsgate-closed {
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    ip daddr 169.254.169.254 counter drop
    ip6 daddr fd00:ec2::254 counter drop
  }
}
`;

const HEAD = `add table inet imdsgate
delete table inet imdsgate
add table inet imdsgate-closed
delete table inet imdsgate-closed
table inet imdsgate {
`;

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

  test.for([
    { there: ["imdsgate", "imdsgate-closed"], script: "delete table inet imdsgate\ndelete table inet imdsgate-closed\n" },
    { there: ["imdsgate-closed"], script: "delete table inet imdsgate-closed\n" },
    { there: ["imdsgate"], script: "delete table inet imdsgate\n" },
  ])("removes its tables alone, in one transaction: $there", async ({ there, script }) => {
    const { run, calls } = scriptedRun({
      "nft list tables": { stdout: `table ip nat\n${there.map((name) => `table inet ${name}\n`).join("")}` },
      "nft -f -": {},
    });
    expect(await nftablesBackend(run).remove()).toBe(true);
    expect(calls).toEqual(["nft list tables", `nft -f -\n${script}`]);
  });

  test("a table that is not there holds nothing; one that cannot be listed is a failure", async () => {
    const absent = { exitCode: 1, stderr: "Error: No such file or directory\nlist table inet imdsgate\n" };
    const answers = { "nft -s list table inet imdsgate": absent, "nft -s list table inet imdsgate-closed": absent };
    expect(await nftablesBackend(scriptedRun(answers).run).standing()).toEqual({ text: "", chains: [] });
    expect(await nftablesBackend(scriptedRun(answers).run).differences(undefined)).toEqual([]);
    expect((await nftablesBackend(scriptedRun(answers).run).differences({ ...ALL, parts: "closed" })).length).toBe(12);
    const denied = { exitCode: 1, stderr: "Operation not permitted (you must be root)\n" };
    await expect(
      nftablesBackend(scriptedRun({ ...answers, "nft -s list table inet imdsgate": denied }).run).standing(),
    ).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });
});
