import type { RunCommand } from "../run-command.ts";
import { type NftListing, parseNftListing } from "./nft-listing.ts";

/** What our rules need of iptables-nft's tables; the program makes what is not there, and never takes it away again. */
const NEEDED = ["filter", "filter/INPUT", "mangle", "mangle/FORWARD", "mangle/INPUT", "nat", "nat/PREROUTING"] as const;

type NftFamily = "ip" | "ip6";

/** The tables and built-in chains that loading our rules would add, as `filter` and `filter/INPUT`. None where nft cannot say. */
export async function absentParts(run: RunCommand, family: NftFamily): Promise<readonly string[]> {
  const tables = await run("nft", ["-j", "list", "tables", family]);
  const chains = await run("nft", ["-j", "list", "chains", family]);
  if (tables.exitCode !== 0 || chains.exitCode !== 0) return [];
  const present = new Set([
    ...parseNftListing(tables.stdout).tables.map(({ name }) => name),
    ...parseNftListing(chains.stdout).chains.map(({ table, name }) => `${table}/${name}`),
  ]);
  return NEEDED.filter((part) => !present.has(part));
}

/**
 * Deletes what we once added, where nobody uses it by now. It never throws: an empty table that stays harms nobody, and
 * somebody may begin to use it at this very moment.
 */
export async function deleteLeftovers(run: RunCommand, family: NftFamily, added: readonly string[]): Promise<void> {
  for (const table of new Set(added.map((part) => part.replace(/\/.*/, "")))) {
    const { exitCode, stdout } = await run("nft", ["-j", "list", "table", family, table]);
    if (exitCode !== 0) continue;
    const script = leftoverScript(parseNftListing(stdout), `${family} ${table}`, added);
    if (script !== "") await run("nft", ["-f", "-"], script);
  }
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
