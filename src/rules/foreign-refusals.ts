import { type Fields, isFields } from "../fields.ts";
import type { RunCommand } from "../run-command.ts";
import { nftItems } from "./nft-listing.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "./rule-set.ts";

/** A chain of somebody else that refuses redirected requests, which no rule of ours outweighs: each table has its own say. */
export interface ForeignRefusal {
  /** As nft names it: `inet firewall input`. */
  readonly chain: string;
  /** The commands that let redirected requests, and nothing else, through it. */
  readonly help: readonly string[];
}

/** The chains of nftables on this host that refuse redirected requests. None where nft cannot say. It never rejects. */
export async function listForeignRefusals(run: RunCommand): Promise<readonly ForeignRefusal[]> {
  const { exitCode, stdout } = await run("nft", ["-j", "list", "ruleset"]);
  return exitCode === 0 ? foreignRefusalsIn(stdout) : [];
}

/**
 * Finds them in what `nft -j list ruleset` printed: a filter chain on the input hook with policy drop, or with a rule that drops or
 * rejects all, and that does not let redirected requests in before that. The chains of iptables are left out: `chooseBackend` sees those.
 */
export function foreignRefusalsIn(listing: string): readonly ForeignRefusal[] {
  const items = nftItems(listing);
  return items.flatMap((item) => {
    const chain = isFields(item["chain"]) ? item["chain"] : undefined;
    if (chain === undefined || !isForeignInput(chain)) return [];
    const rules = items.flatMap(({ rule }) => (isFields(rule) && isIn(chain, rule) ? [expressionsOf(rule)] : []));
    const end = rules.findIndex(refusesAll);
    const refuses = chain["policy"] === "drop" || end >= 0;
    // Behind a rule that refuses all no other is reached.
    const reached = end < 0 ? rules : rules.slice(0, end);
    const name = `${chain["family"]} ${chain["table"]} ${chain["name"]}`;
    const missing = refuses ? addressesOf(chain).filter(({ address }) => !reached.some((rule) => letsIn(rule, address))) : [];
    return missing.length === 0 ? [] : [{ chain: name, help: missing.map((one) => `nft insert rule ${name} ${acceptOf(one)}`) }];
  });
}

const ADDRESSES = [
  { match: "ip", address: IMDS_IPV4 },
  { match: "ip6", address: IMDS_IPV6 },
] as const;

type ImdsAddress = (typeof ADDRESSES)[number];

function acceptOf({ match, address }: ImdsAddress): string {
  return `ct status dnat ct original ${match} daddr ${address} accept`;
}

function addressesOf({ family }: Fields): readonly ImdsAddress[] {
  return family === "inet" ? ADDRESSES : ADDRESSES.filter(({ match }) => match === family);
}

function isForeignInput(chain: Fields): boolean {
  const isOfIptables = ["ip", "ip6"].includes(String(chain["family"])) && chain["name"] === "INPUT";
  return chain["type"] === "filter" && chain["hook"] === "input" && !String(chain["table"]).startsWith("imdsgate") && !isOfIptables;
}

function isIn(chain: Fields, rule: Fields): boolean {
  return rule["family"] === chain["family"] && rule["table"] === chain["table"] && rule["chain"] === chain["name"];
}

function expressionsOf(rule: Fields): readonly Fields[] {
  return Array.isArray(rule["expr"]) ? rule["expr"].filter(isFields) : [];
}

/** Whether a rule is a verdict against everything: nothing but counters and log lines before it. */
function refusesAll(rule: readonly Fields[]): boolean {
  const verdict = rule.at(-1) ?? {};
  return ("drop" in verdict || "reject" in verdict) && rule.slice(0, -1).every((part) => "counter" in part || "log" in part);
}

function letsIn(rule: readonly Fields[], address: string): boolean {
  const isForImds = rule.some(
    ({ match }) => isFields(match) && match["right"] === address && JSON.stringify(match["left"]).includes('"ct"'),
  );
  return isForImds && rule.some((part) => "accept" in part);
}
