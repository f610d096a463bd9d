import type { RunCommand } from "../run-command.ts";
import type { Backend } from "./backend.ts";
import { parseNftChains } from "./nft-chains.ts";
import { listIfThere } from "./nft-listing.ts";
import { ruleDifferences } from "./rule-differences.ts";
import { type HostNetworkCapture, IMDS_IPV4, IMDS_IPV6, IMDS_PORT, type RuleSet } from "./rule-set.ts";
import { captureToCompare, loadStanding, type StandingCapture } from "./standing-capture.ts";
import { runTool } from "./tool.ts";

const TABLE = "inet imdsgate";
/** The drops once more: who takes out one of the two tables does not open the way. */
const CLOSED_TABLE = "inet imdsgate-closed";
const TABLES = [TABLE, CLOSED_TABLE] as const;
const FAMILIES = [
  { match: "ip", address: IMDS_IPV4 },
  { match: "ip6", address: IMDS_IPV6 },
] as const;

/**
 * One `nft -f -` script that replaces our tables as a single transaction, whether they are there or not. `cgroupPrefix` leads from
 * /sys/fs/cgroup, where nft looks, to the cgroup2 tree.
 */
export function nftScript(ruleSet: RuleSet, cgroupPrefix = ""): string {
  const closed = [...forwardChain(), ...closedOutputChain(ruleSet, cgroupPrefix)];
  return [
    // "destroy table" would say two of these lines in one, but needs nft 1.0.8.
    ...TABLES.flatMap((name) => [`add table ${name}`, `delete table ${name}`]),
    ...table(TABLE, [...redirectChain(ruleSet), ...outputChain(ruleSet, cgroupPrefix), ...closed, ...inputChain(ruleSet)]),
    ...table(CLOSED_TABLE, closed),
    "",
  ].join("\n");
}

function table(name: string, chains: readonly string[]): string[] {
  return [`table ${name} {`, ...chains.map((line) => `  ${line}`), "}"];
}

function redirectChain(ruleSet: RuleSet): string[] {
  if (ruleSet.parts === "closed") return [];
  return [
    "chain prerouting {",
    // Ahead of the nat chains of Docker and iptables (-100).
    "  type nat hook prerouting priority dstnat - 10; policy accept;",
    '  iifname "lo" return',
    ...redirectRules(ruleSet).map((rule) => `  ${rule}`),
    "}",
  ];
}

function redirectRules(ruleSet: RuleSet): string[] {
  const redirects = (from: string) =>
    FAMILIES.map(
      ({ match, address }) => `${from}${match} daddr ${address} tcp dport ${IMDS_PORT} counter redirect to :${ruleSet.gatewayPort}`,
    );
  if (ruleSet.workloadInterfaces.length === 0) {
    return [...ruleSet.uplinkInterfaces.map((name) => `iifname "${name}" return`), ...redirects("")];
  }
  // nft has no pattern for "every interface" but to leave the match out.
  return ruleSet.workloadInterfaces.flatMap((name) => redirects(name === "*" ? "" : `iifname "${name}" `));
}

/** Leads host-network containers to the gateway, which they reach on loopback. */
function outputChain({ parts, gatewayPort, hostNetwork }: RuleSet, prefix: string): string[] {
  if (parts === "closed" || hostNetwork === undefined) return [];
  return [
    "chain output {",
    // nft takes no name for this priority in this hook.
    "  type nat hook output priority -110; policy accept;",
    ...cgroupRules(hostNetwork, prefix, { match: ` tcp dport ${IMDS_PORT}`, verdict: `redirect to :${gatewayPort}` }),
    "}",
  ];
}

/** Drops what host-network containers send to the IMDS addresses and what was not redirected: other ports and protocols, old connections. */
function closedOutputChain({ hostNetwork }: RuleSet, prefix: string): string[] {
  if (hostNetwork === undefined) return [];
  return [
    "chain output-closed {",
    "  type filter hook output priority filter - 10; policy accept;",
    ...cgroupRules(hostNetwork, prefix, { match: "", verdict: "drop" }),
    "}",
  ];
}

function cgroupRules(
  { exempt, caught }: HostNetworkCapture,
  prefix: string,
  { match, verdict }: { readonly match: string; readonly verdict: string },
): string[] {
  const of = (path: string) => `socket cgroupv2 level ${path.split("/").length} "${prefix}${path}"`;
  const rules = (paths: readonly string[], rest: (path: string) => string) =>
    paths.flatMap((path) => FAMILIES.map((family) => `  ${family.match} daddr ${family.address}${rest(path)}`));
  // The address first: whatever else the host sends costs one comparison.
  return [...rules(exempt, (path) => ` ${of(path)} return`), ...rules(caught, (path) => `${match} ${of(path)} counter ${verdict}`)];
}

function forwardChain(): string[] {
  return [
    "chain forward {",
    "  type filter hook forward priority filter - 10; policy accept;",
    ...FAMILIES.map(({ match, address }) => `  ${match} daddr ${address} counter drop`),
    "}",
  ];
}

function inputChain({ gatewayPort }: RuleSet): string[] {
  return [
    "chain input {",
    "  type filter hook input priority filter - 10; policy accept;",
    ...FAMILIES.map(
      ({ match, address }) =>
        `  tcp dport ${gatewayPort} ct status dnat ct original ${match} daddr ${address} ct original proto-dst ${IMDS_PORT} counter accept`,
    ),
    `  tcp dport ${gatewayPort} counter drop`,
    // Where this very host owns an IMDS address (an embedded IMDS), packets to it are not forwarded.
    ...FAMILIES.map(({ match, address }) => `  iifname != "lo" ${match} daddr ${address} counter drop`),
    "}",
  ];
}

/** nftables: everything in tables of our own, which nobody else's rules can empty. */
export function nftablesBackend(run: RunCommand): Backend {
  const standingText = async () => (await Promise.all(TABLES.map((name) => listTable(run, name)))).join("");
  let applied: StandingCapture | undefined;
  return {
    name: "nftables",
    async apply(ruleSet) {
      applied = await loadStanding(run, ruleSet.hostNetwork, async ({ capture, prefix }) => {
        await runTool(run, { program: "nft", args: ["-f", "-"], input: nftScript({ ...ruleSet, hostNetwork: capture }, prefix) });
      });
    },
    async remove() {
      const present = await listOwnTables(run);
      if (present.length === 0) return false;
      await runTool(run, { program: "nft", args: ["-f", "-"], input: present.map((name) => `delete table ${name}\n`).join("") });
      return true;
    },
    async redirectPort() {
      if (!(await listOwnTables(run)).includes(TABLE)) return undefined;
      const [, port] = /\bredirect to :(\d+)/.exec(await listTable(run, TABLE)) ?? [];
      return port === undefined ? undefined : Number(port);
    },
    async standing() {
      const text = await standingText();
      return { text, chains: parseNftChains(text) };
    },
    async differences(ruleSet) {
      const standing = parseNftChains(await standingText());
      if (ruleSet === undefined) return ruleDifferences([], standing);
      const { capture, prefix, isLeftOver } = await captureToCompare(run, ruleSet.hostNetwork, applied);
      const ours = standing.map((chain) => ({ ...chain, rules: chain.rules.filter((rule) => !isLeftOver(cgroupIn(rule, prefix))) }));
      return ruleDifferences(parseNftChains(nftScript({ ...ruleSet, hostNetwork: capture }, prefix)), ours);
    },
    render: (ruleSet) => nftScript(ruleSet),
  };
}

/** The cgroup of a listed rule: its path, or the bare number that nft prints for one that is gone. */
function cgroupIn(rule: string, prefix: string): string | number | undefined {
  const [, path, id] = /\bsocket cgroupv2 level \d+ (?:"([^"]*)"|(\d+)\b)/.exec(rule) ?? [];
  if (id !== undefined) return Number(id);
  return path?.startsWith(prefix) ? path.slice(prefix.length) : path;
}

async function listOwnTables(run: RunCommand): Promise<readonly string[]> {
  const tables = (await runTool(run, { program: "nft", args: ["list", "tables"] })).split("\n");
  return TABLES.filter((name) => tables.includes(`table ${name}`));
}

function listTable(run: RunCommand, name: string): Promise<string> {
  return listIfThere(run, ["table", ...name.split(" ")]);
}
