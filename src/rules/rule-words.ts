import type { ListedChain } from "./rule-differences.ts";

/** What a chain of ours does, or one that calls ours, in one line for people. */
export function chainInWords({ name, rules }: ListedChain): string {
  const [chain = ""] = name.split(" ").slice(-1);
  return `${name}: ${purposeOf(chain, name, rules)}`;
}

function purposeOf(chain: string, name: string, rules: readonly string[]): string {
  switch (chain) {
    case "prerouting":
    case "IMDSGATE-PRE":
      return redirectInWords(rules);
    case "forward":
    case "IMDSGATE-FWD":
      return "drops what is on its way to the metadata addresses";
    case "input":
      return "lets only redirected connections into the gateway's port";
    case "IMDSGATE-IN":
      return name.includes(" filter ")
        ? "lets redirected connections in, whatever else this host refuses"
        : "lets only redirected connections into the gateway's port";
    default:
      return `calls ${rules.flatMap((rule) => /-j (IMDSGATE-\S+)/.exec(rule)?.[1] ?? "something else").join(" and ")}`;
  }
}

function redirectInWords(rules: readonly string[]): string {
  const [, port] = /(?:redirect to :|--to-ports )(\d+)/.exec(rules.join("\n")) ?? [];
  return port === undefined ? "redirects nothing" : `hands what containers ask of the metadata addresses to the gateway at port ${port}`;
}
