import type { RunCommand } from "../run-command.ts";
import type { StandingRules } from "./backend.ts";
import { parseNftChains } from "./nft-chains.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "./rule-set.ts";
import { isDenied, runTool } from "./tool.ts";

/** Which cgroups are known to be no container's. All are paths in the cgroup2 tree without a leading slash. */
export interface CgroupGuardSet {
  /** Leads from /sys/fs/cgroup, where nft looks, to that tree: empty, or `unified/` beside the trees of cgroup v1. */
  readonly prefix: string;
  /** Directories that containers may come to. The root is one without being named. */
  readonly shared: readonly string[];
  /** What of the host's stands right below the root and below those. */
  readonly known: readonly string[];
  /** The gateway's own place, where that is a container's. */
  readonly ownContainer: string | undefined;
}

/**
 * Holds back what a cgroup sends to the IMDS addresses while nobody has looked at it: a container with the host's network reaches nothing
 * before a rule of its own leads it to the gateway. What it holds back is sent again by TCP a second later. A service of the host that is
 * new waits for that too, where it asks within the milliseconds that a look takes.
 */
export interface CgroupGuard {
  /** Puts `set` in, in place of what stands, for 90 s: where nobody does so again, it lets everybody through. Throws the RULES_* codes. */
  put(set: CgroupGuardSet): Promise<void>;
  /** Whether it stands and holds. It never rejects. */
  isHolding(): Promise<boolean>;
  /** Takes it out, and tells whether it was there. Throws like `put`. */
  remove(): Promise<boolean>;
  /** What stands of it, whoever put it in. Throws like `put`. */
  standing(): Promise<StandingRules>;
}

const TABLE = "inet imdsgate-cgroups";
/** How long it holds without us: were it for ever, a host whose gateway is gone would lose IMDS for each service that is started anew. */
const HOLD_SECONDS = 90;
/** How often it is to be put in again. */
export const CGROUP_GUARD_RENEWAL_MS = 30_000;
/** A container's place is looked for so many directories below the root. */
export const DEEPEST_SHARED = 3;

const FAMILIES = [`ip daddr ${IMDS_IPV4}`, `ip6 daddr ${IMDS_IPV6}`] as const;

/** One `nft -f -` script that replaces the guard as a single transaction, whether it is there or not. */
export function cgroupGuardScript({ prefix, shared, known, ownContainer }: CgroupGuardSet): string {
  const set = (name: string, paths: readonly string[]) => [
    `  set ${name} {`,
    "    type cgroupsv2",
    ...(paths.length === 0 ? [] : [`    elements = {\n${paths.map((path) => `      "${prefix}${path}"`).join(",\n")}\n    }`]),
    "  }",
  ];
  const rules = (text: string) => FAMILIES.map((family) => `    ${family} ${text}`);
  const levels = Array.from({ length: DEEPEST_SHARED }, (_, index) => index + 1);
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    "  set alive {",
    "    type nf_proto",
    "    flags timeout",
    `    elements = { ipv4 timeout ${HOLD_SECONDS}s, ipv6 timeout ${HOLD_SECONDS}s }`,
    "  }",
    ...set("shared", shared.filter(isNamable)),
    ...set("known", known.filter(isNamable)),
    "  chain output-guard {",
    // After every redirect (-110): what was led to the gateway is no longer on its way to IMDS.
    "    type filter hook output priority filter - 10; policy accept;",
    "    meta nfproto != @alive accept",
    ...(ownContainer === undefined
      ? []
      : rules(`socket cgroupv2 level ${ownContainer.split("/").length} "${prefix}${ownContainer}" accept`)),
    // A socket that is not so deep in the tree matches none of these.
    ...rules("socket cgroupv2 level 1 != @known counter drop"),
    ...levels.flatMap((level) => rules(`socket cgroupv2 level ${level} @shared socket cgroupv2 level ${level + 1} != @known counter drop`)),
    "  }",
    "}",
    "",
  ].join("\n");
}

/** systemd writes what else a unit's name may hold as `\x` and two digits (systemd.unit(5)), which nft takes as it stands. */
function isNamable(path: string): boolean {
  return /^[\w.@:\\-]+(?:\/[\w.@:\\-]+)*$/.test(path);
}

/** The guard by nftables: its table stands beside the rules of any backend. */
export function cgroupGuard(run: RunCommand): CgroupGuard {
  const load = (input: string) => runTool(run, { program: "nft", args: ["-f", "-"], input });
  async function standing(): Promise<StandingRules> {
    const listed = await run("nft", ["-s", "list", "table", ...TABLE.split(" ")]);
    if (listed.stderr.includes("No such file or directory")) return { text: "", chains: [] };
    const text = await runTool(async () => listed, { program: "nft", args: [] });
    // What stands outside of the chain is the sets.
    return { text, chains: parseNftChains(text).filter(({ name }) => name.endsWith(" output-guard")) };
  }
  return {
    async put(set) {
      await load(cgroupGuardScript(set));
    },
    async isHolding() {
      const { stdout } = await run("nft", ["list", "set", ...TABLE.split(" "), "alive"]);
      return stdout.includes(" expires ");
    },
    async remove() {
      const tables = await runTool(run, { program: "nft", args: ["list", "tables"] });
      if (!tables.split("\n").includes(`table ${TABLE}`)) return false;
      await load(`delete table ${TABLE}\n`);
      return true;
    },
    standing,
  };
}

/** Whether nft and this kernel can do it; also where this process may not find out. Changes nothing. It never rejects. */
export async function canGuardCgroups(run: RunCommand): Promise<boolean> {
  const tried = await run("nft", ["--check", "-f", "-"], cgroupGuardScript({ prefix: "", shared: [], known: [], ownContainer: undefined }));
  return tried.exitCode === 0 || isDenied(tried);
}
