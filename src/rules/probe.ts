import type { CommandResult, RunCommand } from "../run-command.ts";
import type { IptablesProbe, RulesProbe } from "./choose-backend.ts";
import { type DumpedTable, parseDump } from "./iptables-dump.ts";
import { parseNftListing } from "./nft-listing.ts";
import { isDenied } from "./tool.ts";

/** A table with what ours needs of the kernel, for `nft --check`, which loads nothing. */
const PROBE_TABLE = "table inet imdsgate-probe { chain c { type nat hook prerouting priority -110; tcp dport 80 redirect to :18169; }; }\n";

/**
 * Looks at what this host has and holds. It changes nothing: a listing by iptables-legacy would register its tables, the
 * `-save` programs do not.
 */
export async function probeRules(run: RunCommand): Promise<RulesProbe> {
  const standard = await readVariant(run, "iptables");
  const [nftVersion, tables, tried, nft, legacy] = await Promise.all([
    run("nft", ["--version"]),
    run("nft", ["-j", "list", "tables"]),
    run("nft", ["--check", "-f", "-"], PROBE_TABLE),
    probeIptables(run, "nft", standard),
    probeIptables(run, "legacy", standard),
  ]);
  const wasDenied = isDenied(tables) || nft?.wasDenied === true || legacy?.wasDenied === true;
  return {
    hasNft: nftVersion.exitCode === 0,
    nftProblem: nftProblemIn(tried),
    nftOwners: nftOwnersIn(tables.stdout),
    nft: nft?.probe,
    legacy: legacy?.probe,
    standard,
    maySeeRules: !wasDenied,
  };
}

/** Nothing is known against nft where it may not be tried, or is not there at all. */
function nftProblemIn(tried: CommandResult): string | undefined {
  if (tried.exitCode === 0 || tried.isMissing || isDenied(tried)) return undefined;
  const [line = ""] = tried.stderr.split("\n").filter((said) => said.includes("Error"));
  return line.replace(/^.*Error: /, "").trim() || "it refuses a table for both families";
}

function nftOwnersIn(listing: string): readonly string[] {
  const { tables } = parseNftListing(listing);
  return NFT_OWNERS.filter(([family, name]) => tables.some((table) => table.family === family && table.name === name)).map(
    ([, , owner]) => owner,
  );
}

/** firewalld's table with its nftables backend, and Docker's from 29 on with `--firewall-backend=nftables`. */
const NFT_OWNERS = [
  ["inet", "firewalld", "firewalld"],
  ["ip", "docker-bridges", "Docker"],
] as const;

async function probeIptables(
  run: RunCommand,
  variant: "nft" | "legacy",
  standard: "nft" | "legacy" | undefined,
): Promise<{ readonly probe: IptablesProbe; readonly wasDenied: boolean } | undefined> {
  const hasOwnName = (await readVariant(run, `iptables-${variant}`)) === variant;
  if (!hasOwnName && standard !== variant) return undefined;
  const program = hasOwnName ? `iptables-${variant}` : "iptables";
  const saved = await run(`${program}-save`, []);
  return { probe: { program, ...claimsOf(parseDump(saved.stdout)) }, wasDenied: isDenied(saved) };
}

/** `iptables -V` ends in `(nf_tables)` or `(legacy)`; before 1.8 it ended in neither and was legacy. */
async function readVariant(run: RunCommand, program: string): Promise<"nft" | "legacy" | undefined> {
  const { exitCode, stdout } = await run(program, ["-V"]);
  if (exitCode !== 0) return undefined;
  return stdout.includes("(nf_tables)") ? "nft" : "legacy";
}

function claimsOf(dump: readonly DumpedTable[]): Omit<IptablesProbe, "program"> {
  const foreign = dump.flatMap(({ rules }) => rules).filter((rule) => !rule.includes("IMDSGATE-"));
  const filter = dump.find(({ name }) => name === "filter");
  return {
    holdsRules: foreign.length > 0,
    hasDocker: dump.some(({ name, chains }) => name === "nat" && chains.has("DOCKER")),
    refusesInput: filter?.chains.get("INPUT") === "DROP" || filter?.rules.some((rule) => /^INPUT -j (DROP|REJECT)\b/.test(rule)) === true,
  };
}
