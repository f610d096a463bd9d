/** Writes docs/rules.md with the rules as they are loaded: `node scripts/generate-rules-doc.ts`. */
import { writeFile } from "node:fs/promises";
import { FAMILIES, iptablesScript } from "../src/rules/iptables.ts";
import { nftScript } from "../src/rules/nftables.ts";
import type { RuleSet } from "../src/rules/rule-set.ts";
import { rulesDocText } from "./rules-doc-text.ts";

const RULE_SET: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };

/** docs/rules.md as it should be: the same on every machine, whatever its tools would list. */
export function generateRulesDoc(): string {
  const [iptables = "", ip6tables = ""] = FAMILIES.map((family) => iptablesScript(RULE_SET, family).trimEnd());
  return rulesDocText({ nftables: nftScript(RULE_SET).trimEnd(), iptables, ip6tables });
}

if (import.meta.main) await writeFile(new URL("../docs/rules.md", import.meta.url), generateRulesDoc());
