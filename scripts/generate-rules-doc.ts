/** Writes docs/rules.md with the rules as they are loaded: `node scripts/generate-rules-doc.ts`. */
import { writeFile } from "node:fs/promises";
import type { BridgeGuardState } from "../src/rules/bridge-guard-set.ts";
import { type CgroupGuardSet, cgroupGuardScript } from "../src/rules/cgroup-guard.ts";
import { FAMILIES, iptablesScript } from "../src/rules/iptables.ts";
import { nftBridgeGuardScript } from "../src/rules/nft-bridge-guard.ts";
import { nftScript } from "../src/rules/nftables.ts";
import type { HostNetworkCapture, RuleSet } from "../src/rules/rule-set.ts";
import { WHAT_STANDS_AROUND } from "../test/kernel/what-stands-around.ts";
import { WHO_ASKS } from "../test/kernel/who-asks.ts";
import { scenariosTable } from "./lib/scenarios-table.ts";
import { rulesDocText } from "./rules-doc-text.ts";

/** The rules that the page shows. */
export const RULE_SET: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };
/** Whom its output chains catch: all that Docker's cgroupfs driver starts, but for the gateway in a container of its own. */
export const HOST_NETWORK: HostNetworkCapture = { caught: ["docker"], exempt: ["docker/gateway"] };
/** What its guard knows: one container on Docker's default bridge. */
export const BRIDGE_GUARD: BridgeGuardState = {
  ports: [{ interfaceName: "veth1a2b3c4", macs: ["02:42:ac:11:00:02"], addresses: ["172.17.0.2", "fd88:1::2"] }],
  hostAddresses: ["172.17.0.1", "fd88:1::1"],
  bridges: ["docker0"],
};
/** What its cgroup guard knows. */
export const CGROUPS: CgroupGuardSet = {
  prefix: "",
  shared: ["system.slice"],
  known: ["init.scope", "system.slice", "user.slice", "system.slice/cron.service"],
  ownContainer: "docker/gateway",
};

/** docs/rules.md as it should be: the same on every machine, whatever its tools would list. */
export function generateRulesDoc(): string {
  const [iptables = "", ip6tables = ""] = FAMILIES.map((family) => iptablesScript(RULE_SET, family).trimEnd());
  const withOutput = { ...RULE_SET, hostNetwork: HOST_NETWORK };
  const [iptablesOutput = ""] = FAMILIES.map((family) => outputLinesIn(iptablesScript(withOutput, family)));
  return rulesDocText({
    scenarios: scenariosTable([...WHO_ASKS, ...WHAT_STANDS_AROUND]),
    nftables: nftScript(RULE_SET).trimEnd(),
    iptables,
    ip6tables,
    nftablesOutput: outputChainsIn(nftScript(withOutput)),
    iptablesOutput,
    guard: nftBridgeGuardScript(BRIDGE_GUARD).trimEnd(),
    cgroupGuard: cgroupGuardScript(CGROUPS).trimEnd(),
  });
}

/** The output chains of each table, in a text of nft. */
function outputChainsIn(script: string): string {
  return script
    .split(/^(?=table )/m)
    .slice(1)
    .map((table) => [table.split("\n")[0], ...(table.match(/^ {2}chain output(?:-closed)? \{\n[\s\S]*?^ {2}\}$/gm) ?? []), "}"].join("\n"))
    .join("\n");
}

/** The same in a text of iptables-restore. */
function outputLinesIn(script: string): string {
  const lines = script.split("\n").filter((line) => /^\*|^COMMIT$|IMDSGATE-(?:OUT|POST)\b/.test(line));
  return `${lines.join("\n")}\n`.replace(/^\*\S+\nCOMMIT\n/gm, "").trimEnd();
}

if (import.meta.main) await writeFile(new URL("../docs/rules.md", import.meta.url), generateRulesDoc());
