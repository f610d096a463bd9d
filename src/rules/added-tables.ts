import type { RunCommand } from "../run-command.ts";
import { type NftListing, parseNftListing } from "./nft-listing.ts";
import { runTool } from "./tool.ts";

/** What our rules need of iptables-nft's tables; the program makes what is not there, and never takes it away again. */
const NEEDED = ["filter", "filter/INPUT", "mangle", "mangle/FORWARD", "mangle/INPUT", "nat", "nat/PREROUTING"] as const;

type NftFamily = "ip" | "ip6";

/**
 * The tables and built-in chains that loading our rules would add, as `filter` and `filter/INPUT`; `more` are chains that they need besides
 * the usual ones. None where nft cannot say.
 */
export async function absentParts(run: RunCommand, family: NftFamily, more: readonly string[] = []): Promise<readonly string[]> {
  const tables = await run("nft", ["-j", "list", "tables", family]);
  const chains = await run("nft", ["-j", "list", "chains", family]);
  if (tables.exitCode !== 0 || chains.exitCode !== 0) return [];
  const present = new Set([
    ...parseNftListing(tables.stdout).tables.map(({ name }) => name),
    ...parseNftListing(chains.stdout).chains.map(({ table, name }) => `${table}/${name}`),
  ]);
  return [...NEEDED, ...more].filter((part) => !present.has(part));
}

/** What our rules said that they added, and the chains in `mangle` that say so. */
interface Memory {
  readonly added: readonly string[];
  readonly memory: readonly string[];
}

/**
 * Deletes what we once added, where nobody uses it by now, and the chains that remember it last, together with their own table: whoever
 * is killed in between leaves the rest to the next removal. An empty table that stays harms nobody, and somebody may begin to use it at
 * this very moment, so only a memory that stays is a failure: it throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED.
 */
export async function deleteLeftovers(run: RunCommand, family: NftFamily, { added, memory }: Memory): Promise<void> {
  for (const table of new Set(added.map((part) => part.replace(/\/.*/, "")))) {
    if (table === MEMORY_TABLE) continue;
    const script = await leftoversOf(run, `${family} ${table}`, { added, memory: [] });
    if (script !== "") await run("nft", ["-f", "-"], script);
  }
  const table = `${family} ${MEMORY_TABLE}`;
  const forget = memory.map((chain) => `flush chain ${table} ${chain}\ndelete chain ${table} ${chain}\n`).join("");
  const { exitCode } = await run("nft", ["-f", "-"], `${forget}${await leftoversOf(run, table, { added, memory })}`);
  // Somebody may use a chain of it since the look.
  if (exitCode !== 0) await runTool(run, { program: "nft", args: ["-f", "-"], input: forget });
}

const MEMORY_TABLE = "mangle";

async function leftoversOf(run: RunCommand, table: string, { added, memory }: Memory): Promise<string> {
  const { exitCode, stdout } = await run("nft", ["-j", "list", "table", ...table.split(" ")]);
  if (exitCode !== 0) return "";
  const { tables, chains, rules } = parseNftListing(stdout);
  const left = {
    tables,
    chains: chains.filter(({ name }) => !memory.includes(name)),
    rules: rules.filter(({ chain }) => !memory.includes(chain)),
  };
  return leftoverScript(left, table, added);
}

/** The `nft` lines that delete the `added` parts of one listed table: chains without a rule and with policy accept, then the table. */
export function leftoverScript(listing: NftListing, table: string, added: readonly string[]): string {
  const name = table.replace(/.* /, "");
  const unused = listing.chains.filter(
    (chain) =>
      added.includes(`${name}/${chain.name}`) && chain.policy === "accept" && !listing.rules.some((rule) => rule.chain === chain.name),
  );
  if (added.includes(name) && unused.length === listing.chains.length) return `delete table ${table}\n`;
  return unused.map((chain) => `delete chain ${table} ${chain.name}\n`).join("");
}
