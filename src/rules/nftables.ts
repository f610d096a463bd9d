import type { RunCommand } from "../run-command.ts";
import type { Backend } from "./backend.ts";
import { parseNftChains } from "./nft-chains.ts";
import { ruleDifferences } from "./rule-differences.ts";
import { IMDS_IPV4, IMDS_IPV6, IMDS_PORT, type RuleSet } from "./rule-set.ts";
import { runTool } from "./tool.ts";

const TABLE = "inet imdsgate";
/** The drops once more: who takes out one of the two tables does not open the way. */
const CLOSED_TABLE = "inet imdsgate-closed";
const TABLES = [TABLE, CLOSED_TABLE] as const;
const FAMILIES = [
  { match: "ip", address: IMDS_IPV4 },
  { match: "ip6", address: IMDS_IPV6 },
] as const;

/** One `nft -f -` script that replaces our tables as a single transaction, whether they are there or not. */
export function nftScript(ruleSet: RuleSet): string {
  return [
    // "destroy table" would say two of these lines in one, but needs nft 1.0.8.
    ...TABLES.flatMap((name) => [`add table ${name}`, `delete table ${name}`]),
    ...table(TABLE, [...redirectChain(ruleSet), ...forwardChain(), ...inputChain(ruleSet)]),
    ...table(CLOSED_TABLE, forwardChain()),
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
  return {
    name: "nftables",
    async apply(ruleSet) {
      await runTool(run, { program: "nft", args: ["-f", "-"], input: nftScript(ruleSet) });
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
      const wanted = ruleSet === undefined ? [] : parseNftChains(nftScript(ruleSet));
      return ruleDifferences(wanted, parseNftChains(await standingText()));
    },
    render: nftScript,
  };
}

async function listOwnTables(run: RunCommand): Promise<readonly string[]> {
  const tables = (await runTool(run, { program: "nft", args: ["list", "tables"] })).split("\n");
  return TABLES.filter((name) => tables.includes(`table ${name}`));
}

/** What stands in a table, without counters; empty where there is no such table. */
function listTable(run: RunCommand, name: string): Promise<string> {
  return runTool(
    async (program, args) => {
      const result = await run(program, args);
      return result.stderr.includes("No such file or directory") ? { ...result, exitCode: 0, stdout: "" } : result;
    },
    { program: "nft", args: ["-s", "list", "table", ...name.split(" ")] },
  );
}
