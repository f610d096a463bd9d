import { describe, expect, test } from "vitest";
import type { BridgeGuardState } from "../../src/rules/bridge-guard-set.ts";
import { ebtablesBridgeGuardTool } from "../../src/rules/ebtables-bridge-guard.ts";
import { FAMILIES, iptablesScript } from "../../src/rules/iptables.ts";
import { chainsInScript } from "../../src/rules/iptables-chains.ts";
import { nftBridgeGuardTool } from "../../src/rules/nft-bridge-guard.ts";
import { parseNftChains } from "../../src/rules/nft-chains.ts";
import { nftScript } from "../../src/rules/nftables.ts";
import type { ListedChain } from "../../src/rules/rule-differences.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import { chainInWords } from "../../src/rules/rule-words.ts";
import type { RunCommand } from "../../src/run-command.ts";

const RULE_SET: RuleSet = {
  parts: "all",
  gatewayPort: 18169,
  uplinkInterfaces: ["eth0"],
  workloadInterfaces: [],
  hostNetwork: { caught: ["docker"], exempt: [] },
};
const GUARD: BridgeGuardState = {
  ports: [{ interfaceName: "veth1", macs: ["02:42:ac:11:00:02"], addresses: ["172.17.0.2", "fd88::2"] }],
  hostAddresses: ["172.17.0.1"],
  bridges: ["docker0"],
};
const noRun: RunCommand = () => Promise.reject(new Error("nothing is run here"));

const KINDS: readonly { readonly what: string; readonly chains: readonly ListedChain[] }[] = [
  { what: "nftables", chains: parseNftChains(nftScript(RULE_SET)) },
  { what: "iptables", chains: FAMILIES.flatMap((family) => chainsInScript(iptablesScript(RULE_SET, family), family.name)) },
  { what: "the bridge guard of nft", chains: nftBridgeGuardTool(noRun).wanted(GUARD) },
  { what: "the bridge guard of ebtables", chains: ebtablesBridgeGuardTool(noRun, "ebtables").wanted(GUARD) },
];

test.for(KINDS)("every chain and every set of $what has words of its own", ({ chains }) => {
  const words = chains.map(chainInWords);
  expect(words.length).toBeGreaterThan(5);
  expect(words.filter((line) => /something else|nothing of imdsgate's|redirects nothing/.test(line))).toEqual([]);
});

test("what leads host-network containers to the gateway, and what is closed to them", () => {
  const words = (chains: readonly ListedChain[]) => chains.map(chainInWords).filter((line) => /output|OUTPUT|-OUT|POST/.test(line));
  expect(words(KINDS[0]?.chains ?? [])).toEqual([
    "inet imdsgate output: hands what host-network containers ask of the metadata addresses to the gateway at port 18169",
    "inet imdsgate output-closed: drops what else host-network containers send to the metadata addresses",
    "inet imdsgate-closed output-closed: drops what else host-network containers send to the metadata addresses",
  ]);
  expect(words(KINDS[1]?.chains ?? []).slice(0, 4)).toEqual([
    "ip mangle IMDSGATE-POST: drops what else host-network containers send to the metadata addresses",
    "ip mangle POSTROUTING: calls IMDSGATE-POST",
    "ip nat IMDSGATE-OUT: hands what host-network containers ask of the metadata addresses to the gateway at port 18169",
    "ip nat OUTPUT: calls IMDSGATE-OUT",
  ]);
});

describe("what is not as it should be", () => {
  const words = (name: string, ...rules: string[]) => chainInWords({ name, part: "closed", rules });
  test.for([
    [words("inet imdsgate prerouting", "accept"), "inet imdsgate prerouting: redirects nothing"],
    [words("inet imdsgate more"), "inet imdsgate more: nothing of imdsgate's making"],
    [words("inet imdsgate itself", "flags dormant"), "inet imdsgate itself: nothing of imdsgate's making"],
    [words("ip nat PREROUTING", "-j DOCKER", "-j IMDSGATE-PRE"), "ip nat PREROUTING: calls something else and IMDSGATE-PRE"],
    [words("bridge nat PREROUTING", "-j IMDSGATE-GUARD"), "bridge nat PREROUTING: calls IMDSGATE-GUARD"],
  ])("is told as it is", ([told, wanted]) => {
    expect(told).toBe(wanted);
  });
});
