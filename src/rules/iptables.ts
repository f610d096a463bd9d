import type { RunCommand } from "../run-command.ts";
import { absentParts, deleteLeftovers } from "./added-tables.ts";
import type { Backend, StandingRules } from "./backend.ts";
import { chainsInDump, chainsInScript } from "./iptables-chains.ts";
import { parseDump } from "./iptables-dump.ts";
import { addedMark, CHAIN, NOTHING_PRESENT, type Present, presentIn, removalScript } from "./iptables-present.ts";
import { ruleDifferences } from "./rule-differences.ts";
import { IMDS_IPV4, IMDS_IPV6, IMDS_PORT, type RuleSet } from "./rule-set.ts";
import { runTool } from "./tool.ts";
import { tryEach } from "./try-each.ts";

/** The address family, with what differs between the two texts. */
export interface Family {
  /** As nft names it. */
  readonly name: "ip" | "ip6";
  readonly address: string;
  readonly program: "iptables" | "ip6tables";
}

export const FAMILIES: readonly Family[] = [
  { name: "ip", address: IMDS_IPV4, program: "iptables" },
  { name: "ip6", address: IMDS_IPV6, program: "ip6tables" },
];

/** One `iptables-restore --noflush` script: each table is replaced as a single transaction, the closed part first. */
export function iptablesScript(ruleSet: RuleSet, family: Family, present: Present = NOTHING_PRESENT): string {
  return [
    // Not in filter: Docker puts its own ACCEPT at the head of that FORWARD chain whenever it starts.
    ...table("mangle", [...forwardChain(family, present.added), ...inputChain(ruleSet, family)], present),
    ...table("filter", acceptChain(ruleSet, family), present),
    ...table("nat", redirectChain(ruleSet, family), present),
    "",
  ].join("\n");
}

function table(name: string, rules: readonly string[], present: Present): string[] {
  const own = rules.filter((rule) => rule.startsWith(`-A ${CHAIN}`));
  const jumps = rules.filter((rule) => rule.startsWith("-I "));
  const chains = jumps.map((rule) => rule.replace(/^.* /, ""));
  // "--noflush" empties a chain that is declared, so the old rules need no line of their own; old jumps do.
  const removals = present.jumps(name).map((jump) => `-D ${jump}`);
  return [`*${name}`, ...chains.map((chain) => `:${chain} - [0:0]`), ...own, ...removals, ...jumps, "COMMIT"];
}

function redirectChain(ruleSet: RuleSet, { address }: Family): string[] {
  const rules = ruleSet.parts === "closed" ? [] : redirectRules(ruleSet);
  return [...rules.map((rule) => `-A ${CHAIN}PRE ${rule}`), `-I PREROUTING 1 -d ${address} -j ${CHAIN}PRE`];
}

function redirectRules(ruleSet: RuleSet): string[] {
  const redirect = (from: string) => `${from}-p tcp --dport ${IMDS_PORT} -j REDIRECT --to-ports ${ruleSet.gatewayPort}`;
  const loopback = "-i lo -j RETURN";
  if (ruleSet.workloadInterfaces.length === 0) {
    return [loopback, ...ruleSet.uplinkInterfaces.map((name) => `-i ${name} -j RETURN`), redirect("")];
  }
  return [loopback, ...ruleSet.workloadInterfaces.map((name) => redirect(`-i ${name.replace(/\*$/, "+")} `))];
}

function forwardChain({ address }: Family, added: readonly string[]): string[] {
  return [`-A ${CHAIN}FWD ${addedMark(added)}-j DROP`, `-I FORWARD 1 -d ${address} -j ${CHAIN}FWD`];
}

function inputChain({ gatewayPort }: RuleSet, family: Family): string[] {
  return [
    `-A ${CHAIN}IN ${redirected(gatewayPort, family)} -j RETURN`,
    `-A ${CHAIN}IN -p tcp --dport ${gatewayPort} -j DROP`,
    // Where this very host owns an IMDS address (an embedded IMDS), packets to it are not forwarded.
    `-A ${CHAIN}IN ! -i lo -d ${family.address} -j DROP`,
    `-I INPUT 1 -j ${CHAIN}IN`,
  ];
}

/** Lets redirected requests in where the host's own INPUT chain would refuse them. */
function acceptChain({ gatewayPort }: RuleSet, family: Family): string[] {
  return [`-A ${CHAIN}IN ${redirected(gatewayPort, family)} -j ACCEPT`, `-I INPUT 1 -j ${CHAIN}IN`];
}

function redirected(gatewayPort: number, { address }: Family): string {
  return `-p tcp --dport ${gatewayPort} -m conntrack --ctstate DNAT --ctorigdst ${address} --ctorigdstport ${IMDS_PORT}`;
}

/** iptables: chains of our own, called from the first line of the built-in ones. `program` is what this host calls the variant. */
export function iptablesBackend(run: RunCommand, variant: "nft" | "legacy", program = `iptables-${variant}`): Backend {
  const tool = (family: Family, what: string) => `${program.replace(/^iptables/, family.program)}-${what}`;

  async function restore(family: Family, input: string): Promise<void> {
    await runTool(run, { program: tool(family, "restore"), args: ["--noflush", "-w", "3"], input });
  }
  const save = (family: Family) => runTool(run, { program: tool(family, "save"), args: [] });
  const readPresent = async (family: Family) => presentIn(parseDump(await save(family)));
  /** What we added, for as long as we live: the rule that carries the mark may be taken away by others. */
  const remembered = new Map<Family["name"], readonly string[]>();
  /** A look is to be cheap: it takes the families of the last `apply`. */
  let families: readonly Family[] | undefined;
  async function standingIn(family: Family): Promise<StandingRules> {
    const text = await save(family);
    const chains = chainsInDump(text, family.name);
    return { text: chains.length === 0 ? "" : `# ${tool(family, "save")}\n${ownLines(text)}`, chains };
  }

  return {
    name: `iptables-${variant}`,
    async apply(ruleSet) {
      families = await listFamilies(run);
      for (const family of families) {
        const present = await readPresent(family);
        const absent = variant === "nft" ? await absentParts(run, family.name) : [];
        const added = [...new Set([...present.added, ...absent, ...(remembered.get(family.name) ?? [])])].sort();
        remembered.set(family.name, added);
        await restore(family, iptablesScript(ruleSet, family, { ...present, added }));
      }
    },
    async remove() {
      let wasThere = false;
      await tryEach(await listFamilies(run), async (family) => {
        const present = await readPresent(family);
        const script = removalScript(present);
        if (script === undefined) return;
        wasThere = true;
        await restore(family, script);
        remembered.delete(family.name);
        if (variant === "nft") await deleteLeftovers(run, family.name, present.added);
      });
      return wasThere;
    },
    async redirectPort() {
      for (const family of await listFamilies(run)) {
        const { redirectPort } = await readPresent(family);
        if (redirectPort !== undefined) return redirectPort;
      }
      return undefined;
    },
    async standing() {
      const found = await Promise.all((await listFamilies(run)).map(standingIn));
      return { text: found.map(({ text }) => text).join(""), chains: found.flatMap(({ chains }) => chains) };
    },
    async differences(ruleSet) {
      const looked = families ?? (await listFamilies(run));
      const found = await Promise.all(looked.map(standingIn));
      const wanted = ruleSet === undefined ? [] : looked.flatMap((family) => chainsInScript(iptablesScript(ruleSet, family), family.name));
      return ruleDifferences(
        wanted,
        found.flatMap(({ chains }) => chains),
      );
    },
    render: (ruleSet) =>
      FAMILIES.map((family) => `# ${tool(family, "restore")} --noflush -w 3\n${iptablesScript(ruleSet, family)}`).join("\n"),
  };
}

/** The lines of a dump that are ours, under their tables. */
function ownLines(dump: string): string {
  const lines = dump.split("\n").filter((line) => line.startsWith("*") || line === "COMMIT" || line.includes(CHAIN));
  return `${lines.join("\n")}\n`.replace(/^\*\S+\nCOMMIT\n/gm, "").replace(/ \[\d+:\d+\]/g, "");
}

/** A kernel without IPv6 has no ip6tables, and no packets that would need it. */
async function listFamilies(run: RunCommand): Promise<readonly Family[]> {
  const { exitCode } = await run("test", ["-e", "/proc/net/if_inet6"]);
  // Only a clear "no" counts: where the question fails, IPv6 must not stay open.
  return exitCode === 1 ? FAMILIES.filter(({ name }) => name === "ip") : FAMILIES;
}
