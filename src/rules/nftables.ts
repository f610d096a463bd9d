import type { RunCommand } from "../run-command.ts";
import type { Backend } from "./backend.ts";
import { IMDS_IPV4, IMDS_IPV6, IMDS_PORT, type RuleSet } from "./rule-set.ts";
import { runTool } from "./tool.ts";

const TABLE = "inet imdsgate";
const FAMILIES = [
  { match: "ip", address: IMDS_IPV4 },
  { match: "ip6", address: IMDS_IPV6 },
] as const;

/** One `nft -f -` script that replaces our table as a single transaction, whether it is there or not. */
export function nftScript(ruleSet: RuleSet): string {
  const chains = [...redirectChain(ruleSet), ...forwardChain(), ...inputChain(ruleSet)];
  // "destroy table" would say the first two lines in one, but needs nft 1.0.8.
  return [`add table ${TABLE}`, `delete table ${TABLE}`, `table ${TABLE} {`, ...chains.map((line) => `  ${line}`), "}", ""].join("\n");
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

/** nftables: everything in one table of our own, which nobody else's rules can empty. */
export function nftablesBackend(run: RunCommand): Backend {
  return {
    name: "nftables",
    async apply(ruleSet) {
      await runTool(run, { program: "nft", args: ["-f", "-"], input: nftScript(ruleSet) });
    },
    async remove() {
      const isOurs = await isTablePresent(run);
      if (isOurs) await runTool(run, { program: "nft", args: ["delete", "table", ...TABLE.split(" ")] });
      return isOurs;
    },
    async redirectPort() {
      if (!(await isTablePresent(run))) return undefined;
      const listing = await runTool(run, { program: "nft", args: ["list", "table", ...TABLE.split(" ")] });
      const [, port] = /\bredirect to :(\d+)/.exec(listing) ?? [];
      return port === undefined ? undefined : Number(port);
    },
    render: nftScript,
  };
}

async function isTablePresent(run: RunCommand): Promise<boolean> {
  const tables = await runTool(run, { program: "nft", args: ["list", "tables"] });
  return tables.split("\n").includes(`table ${TABLE}`);
}
