import { type Fields, isFields } from "../fields.ts";
import type { RunCommand } from "../run-command.ts";
import { runTool } from "./tool.ts";

/** What `nft -j list …` printed, reduced to what stands where. */
export interface NftListing {
  readonly tables: readonly { readonly family: string; readonly name: string }[];
  readonly chains: readonly {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly policy: string | undefined;
  }[];
  readonly rules: readonly { readonly family: string; readonly table: string; readonly chain: string }[];
}

/** Parses the JSON of `nft -j list`. What it does not know is left out; text that is no JSON is an empty listing. */
export function parseNftListing(text: string): NftListing {
  const items = nftItems(text);
  const all = (kind: string) => items.flatMap((item) => (isFields(item[kind]) ? [item[kind]] : []));
  return {
    tables: all("table").map((table) => ({ family: textOf(table, "family"), name: textOf(table, "name") })),
    chains: all("chain").map((chain) => ({
      family: textOf(chain, "family"),
      table: textOf(chain, "table"),
      name: textOf(chain, "name"),
      policy: typeof chain["policy"] === "string" ? chain["policy"] : undefined,
    })),
    rules: all("rule").map((rule) => ({ family: textOf(rule, "family"), table: textOf(rule, "table"), chain: textOf(rule, "chain") })),
  };
}

/** The objects in the JSON of `nft -j list`, as they stand there. Text that is no JSON has none. */
export function nftItems(text: string): readonly Fields[] {
  try {
    const root: unknown = JSON.parse(text);
    const list = isFields(root) ? root["nftables"] : undefined;
    return Array.isArray(list) ? list.filter(isFields) : [];
  } catch {
    return [];
  }
}

function textOf(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === "string" ? value : "";
}

/** What nft lists without counters, in its own words; empty where there is no such thing. Throws as `runTool`. */
export function listIfThere(run: RunCommand, what: readonly string[]): Promise<string> {
  return runTool(
    async (program, args) => {
      const result = await run(program, args);
      return result.stderr.includes("No such file or directory") ? { ...result, exitCode: 0, stdout: "" } : result;
    },
    { program: "nft", args: ["-s", "list", ...what] },
  );
}
