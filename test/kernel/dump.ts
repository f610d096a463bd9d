import type { Namespace } from "./namespace.ts";

/**
 * Every rule of a host, of every tool and family, without counters and dates. A built-in table of iptables-legacy that
 * holds nothing is left out: no program can take it out of the kernel once it was looked into.
 */
export async function dumpRules(host: Namespace): Promise<string> {
  const programs = ["iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"];
  const saved = await Promise.all(programs.map((program) => host.sh(program, [])));
  const nft = await host.sh("nft", ["-s", "list", "ruleset"]);
  return [`# nft\n${withoutCounters(nft)}`, ...saved.map((text, index) => `# ${programs[index]}\n${tablesOf(text)}`)].join("\n");
}

/**
 * The same in an order that does not tell which table was made first. nft 1.0.6 shows the target of an iptables redirect in one of the two
 * families only, in which depends on that order too; iptables-save has both.
 */
export async function rulesText(host: Namespace): Promise<string> {
  const parts = (await dumpRules(host)).split(/^(?=table |# )/m).map((part) => part.replace(/^(\t\ttcp dport 80 counter) .*$/gm, "$1"));
  return parts
    .map((part) => part.trim())
    .sort()
    .join("\n");
}

/** `-s` leaves out the counters of rules, but those of iptables-nft keep theirs in some versions. */
function withoutCounters(text: string): string {
  return text.replace(/ packets \d+ bytes \d+/g, "");
}

function tablesOf(text: string): string {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const tables = lines
    .join("\n")
    .replace(/ \[\d+:\d+\]/g, "")
    .split(/^(?=\*)/m);
  return tables
    .filter((table) => /^-A/m.test(table) || /^:\S+ (?!ACCEPT)/m.test(table))
    .sort()
    .join("");
}
