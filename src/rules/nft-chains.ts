import type { ListedChain } from "./rule-differences.ts";

/** The chains in a text of nft, whether ours to load or what `nft list table` printed: without counters, priorities as numbers. */
export function parseNftChains(text: string): readonly ListedChain[] {
  return text.split(/^(?=table )/m).flatMap((part) => {
    const [, table] = /^table (\S+ \S+) \{/.exec(part) ?? [];
    return table === undefined ? [] : chainsOf(table, part);
  });
}

function chainsOf(table: string, text: string): ListedChain[] {
  const [head = "", ...chains] = text.split(/^\s*chain (?=\S+ \{)/m);
  // What stands outside of chains (a set, a flag such as "dormant") is no work of ours.
  const [, ...outside] = linesOf(head);
  const listed = chains.map((chain): ListedChain => {
    const [name = "", ...rules] = linesOf(chain);
    return { name: `${table} ${name.replace(" {", "")}`, part: /^(prerouting|output) /.test(name) ? "redirect" : "closed", rules };
  });
  return outside.length === 0 ? listed : [...listed, { name: `${table} itself`, part: "closed", rules: outside }];
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && line !== "}").map(normalNftRule);
}

const PRIORITIES: Readonly<Record<string, number>> = { dstnat: -100, filter: 0 };

/** A rule or a chain's first line as every version of nft would say it. */
export function normalNftRule(line: string): string {
  return line
    .replace(/\bcounter packets \d+ bytes \d+/g, "counter")
    .replace(/\bpriority (dstnat|filter)(?: ([+-]) (\d+))?;/, (_, name: string, sign = "+", by = "0") => {
      const offset = Number(`${sign}${by}`);
      return `priority ${(PRIORITIES[name] ?? 0) + offset};`;
    })
    .replace(/\s+/g, " ");
}
