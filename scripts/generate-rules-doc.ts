/** Writes docs/rules.md with the rules as a kernel lists them: `node scripts/generate-rules-doc.ts`. */
import { writeFile } from "node:fs/promises";
import type { Backend } from "../src/rules/backend.ts";
import { iptablesBackend } from "../src/rules/iptables.ts";
import { parseDump } from "../src/rules/iptables-dump.ts";
import { nftablesBackend } from "../src/rules/nftables.ts";
import type { RuleSet } from "../src/rules/rule-set.ts";
import { type Namespace, startHostNamespace } from "../test/kernel/namespace.ts";
import { rulesDocText } from "./rules-doc-text.ts";

const RULE_SET: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };

/** docs/rules.md as it should be. Loads the rules of every backend into a network namespace of its own and reads them back. */
export async function generateRulesDoc(): Promise<string> {
  await using host = await startHostNamespace();
  const nftables = await whileApplied(nftablesBackend(host.run), () => host.sh("nft", ["-s", "list", "table", "inet", "imdsgate"]));
  const nft = await whileApplied(iptablesBackend(host.run, "nft"), () => savedBy(host, "nft"));
  const legacy = await whileApplied(iptablesBackend(host.run, "legacy"), () => savedBy(host, "legacy"));
  if (nft.v4 !== legacy.v4 || nft.v6 !== legacy.v6) throw new Error(`the variants of iptables differ:\n${nft.v4}\n${legacy.v4}`);
  return rulesDocText({ nftables: nftables.trimEnd(), iptables: nft.v4, ip6tables: nft.v6 });
}

async function whileApplied<T>(backend: Backend, read: () => Promise<T>): Promise<T> {
  await backend.apply(RULE_SET);
  const text = await read();
  await backend.remove();
  return text;
}

async function savedBy(host: Namespace, variant: "nft" | "legacy"): Promise<{ readonly v4: string; readonly v6: string }> {
  const [v4, v6] = await Promise.all(["iptables", "ip6tables"].map((program) => host.sh(`${program}-${variant}-save`, [])));
  return { v4: ownLines(v4 ?? ""), v6: ownLines(v6 ?? "") };
}

/** Our chains, their rules and the jumps to them, in one order of tables; the note of what we added to this host is left out. */
function ownLines(saved: string): string {
  const dump = parseDump(saved);
  const lines = ["mangle", "filter", "nat"].flatMap((name) => {
    const rules = dump.filter((table) => table.name === name).flatMap((table) => table.rules);
    return [`*${name}`, ...rules.map((rule) => `-A ${rule.replace(/-m comment --comment "[^"]*" /, "")}`)];
  });
  return lines.join("\n");
}

if (import.meta.main) await writeFile(new URL("../docs/rules.md", import.meta.url), await generateRulesDoc());
