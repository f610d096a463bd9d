import { expect, test } from "vitest";
import { leftoverScript } from "../../src/rules/added-tables.ts";
import type { NftListing } from "../../src/rules/nft-listing.ts";

const ADDED = ["filter", "filter/INPUT", "filter/FORWARD"];

function listing(chains: Readonly<Record<string, string | undefined>>, rulesIn: readonly string[]): NftListing {
  return {
    tables: [{ family: "ip", name: "filter" }],
    chains: Object.entries(chains).map(([name, policy]) => ({ family: "ip", table: "filter", name, policy })),
    rules: rulesIn.map((chain) => ({ family: "ip", table: "filter", chain })),
  };
}

test.for([
  {
    title: "an added table with nothing in use",
    chains: { INPUT: "accept", FORWARD: "accept" },
    rulesIn: [],
    added: ADDED,
    script: "delete table ip filter\n",
  },
  {
    title: "a chain that somebody uses by now",
    chains: { INPUT: "accept", FORWARD: "accept" },
    rulesIn: ["FORWARD"],
    added: ADDED,
    script: "delete chain ip filter INPUT\n",
  },
  {
    title: "a chain with a policy by now",
    chains: { INPUT: "drop", FORWARD: "accept" },
    rulesIn: [],
    added: ADDED,
    script: "delete chain ip filter FORWARD\n",
  },
  {
    title: "a chain of somebody else",
    chains: { INPUT: "accept", DOCKER: undefined },
    rulesIn: [],
    added: ADDED,
    script: "delete chain ip filter INPUT\n",
  },
  {
    title: "a table that was there before",
    chains: { INPUT: "accept" },
    rulesIn: [],
    added: ["filter/INPUT"],
    script: "delete chain ip filter INPUT\n",
  },
  { title: "nothing added", chains: { INPUT: "accept" }, rulesIn: [], added: [], script: "" },
])("leftovers of iptables-nft: $title", ({ chains, rulesIn, added, script }) => {
  expect(leftoverScript(listing(chains, rulesIn), "ip filter", added)).toBe(script);
});
