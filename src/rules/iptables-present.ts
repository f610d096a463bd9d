import type { DumpedTable } from "./iptables-dump.ts";

/** What of ours a host already holds in one family. */
export interface Present {
  /** `-A` lines of the built-in chains that jump to ours, without the `-A `. */
  readonly jumps: (table: string) => readonly string[];
  /** Chains of ours. */
  readonly chains: (table: string) => readonly string[];
  /** The port that our redirect leads to. */
  readonly redirectPort: number | undefined;
  /** Tables and built-in chains that were not there before us, as `mangle` and `mangle/INPUT`. */
  readonly added: readonly string[];
  /** The chains, in `mangle`, with a rule that remembers them. */
  readonly memory: readonly string[];
}

/** How the name of each chain of ours begins. */
export const CHAIN = "IMDSGATE-";
export const NOTHING_PRESENT: Present = { jumps: () => [], chains: () => [], redirectPort: undefined, added: [], memory: [] };

const ADDED = "imdsgate added: ";

/** The comment that remembers what we added; it stands on our rule in `mangle`, since another process may be the one that removes. */
export function addedMark(added: readonly string[]): string {
  return added.length === 0 ? "" : `-m comment --comment "${ADDED}${added.join(" ")}" `;
}

/** Finds ours in what `iptables-save` printed. */
export function presentIn(dump: readonly DumpedTable[]): Present {
  const tablesOf = (name: string) => dump.filter((dumped) => dumped.name === name);
  const rulesOf = (name: string) => tablesOf(name).flatMap(({ rules }) => rules);
  const isOwn = (line: string) => line.startsWith(CHAIN);
  const [, added = ""] = new RegExp(`"${ADDED}([^"]*)"`).exec(rulesOf("mangle").filter(isOwn).join("\n")) ?? [];
  const [, port] = / --to-ports (\d+)/.exec(rulesOf("nat").filter(isOwn).join("\n")) ?? [];
  return {
    jumps: (name) => rulesOf(name).filter((rule) => !isOwn(rule) && rule.includes(` -j ${CHAIN}`)),
    chains: (name) => tablesOf(name).flatMap(({ chains }) => [...chains.keys()].filter(isOwn)),
    redirectPort: port === undefined ? undefined : Number(port),
    added: added.split(" ").filter((part) => part !== ""),
    memory: [...new Set(rulesOf("mangle").flatMap((rule) => (isOwn(rule) && rule.includes(ADDED) ? [rule.replace(/ .*/, "")] : [])))],
  };
}

/**
 * The `iptables-restore` script that takes ours out, the redirect first, but for the chains with the memory, which nothing calls then;
 * undefined where there is nothing of ours.
 */
export function removalScript(present: Present): string | undefined {
  const tables = ["nat", "filter", "mangle"].filter((name) => present.chains(name).length > 0);
  if (tables.length === 0) return undefined;
  const lines = tables.flatMap((name) => [
    `*${name}`,
    ...present.jumps(name).map((jump) => `-D ${jump}`),
    ...forgettable(name, present).map((chain) => `-F ${chain}`),
    ...forgettable(name, present).map((chain) => `-X ${chain}`),
    "COMMIT",
  ]);
  return `${lines.join("\n")}\n`;
}

function forgettable(name: string, { chains, memory }: Present): readonly string[] {
  return chains(name).filter((chain) => name !== "mangle" || !memory.includes(chain));
}
