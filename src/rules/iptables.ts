import type { RunCommand } from "../run-command.ts";
import { absentParts, deleteLeftovers } from "./added-tables.ts";
import type { Backend, StandingRules } from "./backend.ts";
import { chainsInDump, chainsInScript } from "./iptables-chains.ts";
import { parseDump } from "./iptables-dump.ts";
import { addedMark, CHAIN, NOTHING_PRESENT, type Present, presentIn, removalScript } from "./iptables-present.ts";
import { restoreOnto } from "./iptables-restore.ts";
import { type ListedChain, ruleDifferences } from "./rule-differences.ts";
import { type HostNetworkCapture, IMDS_IPV4, IMDS_IPV6, IMDS_PORT, type RuleSet } from "./rule-set.ts";
import { captureToCompare, loadStanding, type StandingCapture } from "./standing-capture.ts";
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
    ...table(
      "mangle",
      [...forwardChain(family, present.added), ...inputChain(ruleSet, family), ...closedOutputChain(ruleSet, family)],
      present,
    ),
    ...table("filter", acceptChain(ruleSet, family), present),
    ...table("nat", [...redirectChain(ruleSet, family), ...outputChain(ruleSet, family)], present),
    "",
  ].join("\n");
}

function table(name: string, rules: readonly string[], present: Present): string[] {
  const own = rules.filter((rule) => rule.startsWith(`-A ${CHAIN}`));
  const jumps = rules.filter((rule) => rule.startsWith("-I "));
  const chains = jumps.map((rule) => rule.replace(/^.* /, ""));
  // "--noflush" empties a chain that is declared, so the old rules need no line of their own; old jumps do, and chains that are wanted no more.
  const stale = present.chains(name).filter((chain) => !chains.includes(chain));
  const removals = [
    ...present.jumps(name).map((jump) => `-D ${jump}`),
    ...stale.map((chain) => `-F ${chain}`),
    ...stale.map((chain) => `-X ${chain}`),
  ];
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

/** Leads host-network containers to the gateway, which they reach on loopback. */
function outputChain({ parts, gatewayPort, hostNetwork }: RuleSet, { address }: Family): string[] {
  if (parts === "closed" || hostNetwork === undefined) return [];
  const target = { match: `-p tcp --dport ${IMDS_PORT} `, target: `REDIRECT --to-ports ${gatewayPort}` };
  return [...cgroupRules("OUT", hostNetwork, target), `-I OUTPUT 1 -d ${address} -j ${CHAIN}OUT`];
}

/** Drops what host-network containers send to the IMDS addresses and what was not redirected: other ports and protocols, old connections. */
function closedOutputChain({ hostNetwork }: RuleSet, { address }: Family): string[] {
  if (hostNetwork === undefined) return [];
  // After nat OUTPUT, as the OUTPUT of mangle is not.
  return [...cgroupRules("POST", hostNetwork, { match: "", target: "DROP" }), `-I POSTROUTING 1 -d ${address} -j ${CHAIN}POST`];
}

/** The built-in chains that these two need besides the usual ones. */
function outputChainsFor({ parts, hostNetwork }: RuleSet): readonly string[] {
  if (hostNetwork === undefined) return [];
  return ["mangle/POSTROUTING", ...(parts === "all" ? ["nat/OUTPUT"] : [])];
}

function cgroupRules(
  chain: string,
  { exempt, caught }: HostNetworkCapture,
  { match, target }: { readonly match: string; readonly target: string },
): string[] {
  return [
    ...exempt.map((path) => `-A ${CHAIN}${chain} -m cgroup --path ${path} -j RETURN`),
    ...caught.map((path) => `-A ${CHAIN}${chain} ${match}-m cgroup --path ${path} -j ${target}`),
  ];
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

  const toolsOf = (family: Family) => ({
    save: () => runTool(run, { program: tool(family, "save"), args: [] }),
    restore: (input: string) => runTool(run, { program: tool(family, "restore"), args: ["--noflush", "-w", "3"], input }),
  });
  const save = (family: Family) => toolsOf(family).save();
  const readPresent = async (family: Family) => presentIn(parseDump(await save(family)));
  /** What we added, for as long as we live: the rule that carries the mark may be taken away by others. */
  const remembered = new Map<Family["name"], readonly string[]>();
  let applied: StandingCapture | undefined;
  /** A look is to be cheap: it takes the families of the last `apply`. */
  let families: readonly Family[] | undefined;
  const standingIn = async (family: Family) => standingOf(await save(family), family, tool(family, "save"));

  return {
    name: `iptables-${variant}`,
    async apply(ruleSet) {
      families = await listFamilies(run);
      for (const family of families) {
        applied = await loadStanding(run, ruleSet.hostNetwork, async ({ capture }) => {
          await restoreOnto(toolsOf(family), async (present) => {
            const absent = variant === "nft" ? await absentParts(run, family.name, outputChainsFor(ruleSet)) : [];
            const added = [...new Set([...present.added, ...absent, ...(remembered.get(family.name) ?? [])])].sort();
            remembered.set(family.name, added);
            return iptablesScript({ ...ruleSet, hostNetwork: capture }, family, { ...present, added });
          });
        });
      }
    },
    async remove() {
      let wasThere = false;
      await tryEach(await listFamilies(run), async (family) => {
        let present: Present | undefined;
        await restoreOnto(toolsOf(family), async (found) => {
          // iptables-legacy leaves nothing behind that somebody had to remember.
          present = variant === "nft" ? found : { ...found, memory: [] };
          const script = removalScript(present);
          wasThere ||= script !== undefined;
          return script;
        });
        remembered.delete(family.name);
        if (present !== undefined && present.memory.length > 0) await deleteLeftovers(run, family.name, present);
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
      const standing = (await Promise.all(looked.map(standingIn))).flatMap(({ chains }) => chains);
      if (ruleSet === undefined) return ruleDifferences([], standing);
      const { capture, isLeftOver } = await captureToCompare(run, ruleSet.hostNetwork, applied);
      return ruleDifferences(wantedChains({ ...ruleSet, hostNetwork: capture }, looked), withoutLeftOvers(standing, isLeftOver));
    },
    render: (ruleSet) =>
      FAMILIES.map((family) => `# ${tool(family, "restore")} --noflush -w 3\n${iptablesScript(ruleSet, family)}`).join("\n"),
  };
}

function standingOf(dump: string, { name }: Family, source: string): StandingRules {
  const chains = chainsInDump(dump, name);
  return { text: chains.length === 0 ? "" : `# ${source}\n${ownLines(dump)}`, chains };
}

function wantedChains(ruleSet: RuleSet, families: readonly Family[]): readonly ListedChain[] {
  return families.flatMap((family) => chainsInScript(iptablesScript(ruleSet, family), family.name));
}

/** The chains without the rules of cgroups that are gone. Such a rule lists its path as ever. */
function withoutLeftOvers(chains: readonly ListedChain[], isLeftOver: (cgroup: string | undefined) => boolean): readonly ListedChain[] {
  return chains.map((chain) => ({ ...chain, rules: chain.rules.filter((rule) => !isLeftOver(/ --path (\S+)/.exec(rule)?.[1])) }));
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
