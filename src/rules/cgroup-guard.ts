import { release } from "node:os";
import type { RunCommand } from "../run-command.ts";
import type { StandingRules } from "./backend.ts";
import { parseNftChains } from "./nft-chains.ts";
import { listIfThere } from "./nft-listing.ts";
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
  /**
   * Puts `set` in, in place of what stands, for 60 s: where nobody does so again, it lets everybody through. Were it for ever, a host whose
   * gateway is gone would lose IMDS for each service that is started anew. Throws the RULES_* codes.
   */
  put(set: CgroupGuardSet): Promise<void>;
  /** Whether it stands and holds. It never rejects. */
  isHolding(): Promise<boolean>;
  /** Takes it out, and tells whether it was there. Throws like `put`. */
  remove(): Promise<boolean>;
  /** What stands of it, whoever put it in. Throws like `put`. */
  standing(): Promise<StandingRules>;
}

const TABLE = "inet imdsgate-cgroups";
export const CGROUP_GUARD_CHAIN = `${TABLE} output-guard`;
/** How long it holds: from boot, or the end of a gateway, until one runs; and how often that one puts it in again. */
export const GUARDED_SECONDS = 60;
export const GUARD_RENEWAL_MS = 20_000;

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
  const deepest = Math.max(0, ...shared.map(levelOf));
  const levels = Array.from({ length: deepest }, (_, index) => index + 1);
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    "  set alive {",
    "    type nf_proto",
    "    flags timeout",
    `    elements = { ipv4 timeout ${GUARDED_SECONDS}s, ipv6 timeout ${GUARDED_SECONDS}s }`,
    "  }",
    // nft looks up one after the other. A directory that is made anew meanwhile is then a shared one that is not known, never one known alone.
    ...set("known", known.filter(canName)),
    ...set("shared", shared.filter(canName)),
    "  chain output-guard {",
    // After every redirect (-110): what was led to the gateway is no longer on its way to IMDS.
    "    type filter hook output priority filter - 10; policy accept;",
    "    meta nfproto != @alive accept",
    // Whoever made a connection was known then, and his cgroup may be gone by now. What begins one may have the port of one that ended unseen.
    "    tcp flags & (fin | syn | rst | ack) != syn ct state established accept",
    ...(ownContainer === undefined ? [] : rules(`socket cgroupv2 level ${levelOf(ownContainer)} "${prefix}${ownContainer}" accept`)),
    // A socket that is not so deep in the tree matches none of these.
    ...rules("socket cgroupv2 level 1 != @known counter drop"),
    ...levels.flatMap((level) => rules(`socket cgroupv2 level ${level} @shared socket cgroupv2 level ${level + 1} != @known counter drop`)),
    "  }",
    "}",
    "",
  ].join("\n");
}

function levelOf(path: string): number {
  return path.split("/").length;
}

/** Whether a path can stand between quotation marks, where nft takes all else as it stands. */
export function canName(path: string): boolean {
  return /^[^"\p{Cc}]+$/u.test(path);
}

/** The guard by nftables: its table stands beside the rules of any backend. */
export function cgroupGuard(run: RunCommand): CgroupGuard {
  const load = (input: string) => runTool(run, { program: "nft", args: ["-f", "-"], input });
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
    async standing() {
      const text = await listIfThere(run, ["table", ...TABLE.split(" ")]);
      // What stands outside of the chain is the sets.
      return { text, chains: parseNftChains(text).filter(({ name }) => name === CGROUP_GUARD_CHAIN) };
    },
  };
}

/**
 * Whether nft and this kernel can do it; also where this process may not find out. For a guest that shares the kernel (`isNested`) the levels of
 * a rule are its own from Linux 6.11 on ("nft_socket: make cgroupsv2 matching work with namespaces"); before that nobody there would be known.
 * Changes nothing. It never rejects.
 */
export async function canGuardCgroups(run: RunCommand, { isNested }: { readonly isNested: boolean }, kernel = release()): Promise<boolean> {
  const [major = 0, minor = 0] = kernel.split(".").map(Number);
  if (isNested && (major < 6 || (major === 6 && minor < 11))) return false;
  const nothing = { prefix: "", shared: [], known: [], ownContainer: undefined };
  const tried = await run("nft", ["--check", "-f", "-"], cgroupGuardScript(nothing));
  return tried.exitCode === 0 || isDenied(tried);
}
