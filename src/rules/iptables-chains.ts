import { type DumpedTable, parseDump } from "./iptables-dump.ts";
import { CHAIN } from "./iptables-present.ts";
import type { ListedChain } from "./rule-differences.ts";

/** The chains that an `iptables-restore` script of ours leads to; `family` is `ip` or `ip6`. */
export function chainsInScript(script: string, family: string): readonly ListedChain[] {
  return script.split(/^(?=\*)/m).flatMap((part) => {
    const [head = "", ...lines] = part.split("\n");
    const table = head.slice(1);
    const own = lines.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []);
    const jumps = lines.flatMap((line) => {
      const [, chain = "", rule = ""] = /^-I (\S+) 1 (.*)$/.exec(line) ?? [];
      return chain === "" ? [] : [listed(family, table, chain, [rule])];
    });
    return [
      ...own.map((chain) =>
        listed(
          family,
          table,
          chain,
          rulesOf(
            chain,
            lines.map((line) => line.replace(/^-A /, "")),
          ),
        ),
      ),
      ...jumps,
    ];
  });
}

/** Our chains in what `iptables-save` printed, and the built-in ones up to our last jump in them. */
export function chainsInDump(text: string, family: string): readonly ListedChain[] {
  return parseDump(text).flatMap((table) => [...table.chains.keys()].flatMap((chain) => standingChain(family, table, chain)));
}

function standingChain(family: string, { name, rules }: DumpedTable, chain: string): ListedChain[] {
  const all = rulesOf(chain, rules);
  if (chain.startsWith(CHAIN)) return [listed(family, name, chain, all)];
  const last = all.findLastIndex((rule) => rule.includes(`-j ${CHAIN}`));
  return last < 0 ? [] : [listed(family, name, chain, all.slice(0, last + 1))];
}

function rulesOf(chain: string, lines: readonly string[]): string[] {
  return lines.filter((line) => line.startsWith(`${chain} `)).map((line) => line.slice(chain.length + 1));
}

function listed(family: string, table: string, chain: string, rules: readonly string[]): ListedChain {
  return { name: `${family} ${table} ${chain}`, part: table === "mangle" ? "closed" : "redirect", rules: rules.map(normalIptablesRule) };
}

/** A rule without what iptables adds in a listing (`/32`, `-m tcp`, quotes) and without our mark, its matches in alphabetical order. */
export function normalIptablesRule(rule: string): string {
  const [, matches = "", target = ""] =
    /^(.*?)\s*(-j .*)?$/.exec(
      rule
        .replace(/ ?-m comment --comment "imdsgate added: [^"]*"/, "")
        .replace(/(169\.254\.169\.254)\/32|(fd00:ec2::254)\/128/g, "$1$2")
        .replace(/(-p tcp) -m tcp\b/, "$1")
        .replace(/(--path) "([^"]*)"/, "$1 $2")
        .trim(),
    ) ?? [];
  // A match is "-x …" or "! -x …"; the options of a module (--dport) stay behind theirs.
  const parts = ` ${matches}`.split(/ (?=! -\w )| (?<!! )(?=-\w )/).filter((part) => part.trim() !== "");
  return [...parts.sort(), target].filter((part) => part !== "").join(" ");
}
