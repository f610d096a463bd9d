/** One table as `iptables-save` prints it. */
export interface DumpedTable {
  readonly name: string;
  /** Chain to policy: `ACCEPT`, `DROP`, or `-` for a chain that no hook calls. */
  readonly chains: ReadonlyMap<string, string>;
  /** Each `-A CHAIN …` line without its `-A `. */
  readonly rules: readonly string[];
}

/** Parses what `iptables-save` (any variant, either family) printed. Lines that it does not know are left out. */
export function parseDump(text: string): readonly DumpedTable[] {
  return text
    .split(/^(?=\*)/m)
    .filter((part) => part.startsWith("*"))
    .map(parseTable);
}

function parseTable(text: string): DumpedTable {
  const [head = "", ...lines] = text.split("\n");
  const chains = lines.flatMap((line): [string, string][] => {
    const [, chain, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    return chain === undefined || policy === undefined ? [] : [[chain, policy]];
  });
  const rules = lines.filter((line) => line.startsWith("-A ")).map((line) => line.slice(3));
  return { name: head.slice(1).trim(), chains: new Map(chains), rules };
}
