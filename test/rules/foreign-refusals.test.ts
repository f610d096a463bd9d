import { expect, test } from "vitest";
import { foreignRefusalsIn, listForeignRefusals } from "../../src/rules/foreign-refusals.ts";
import { scriptedRun } from "./scripted-run.ts";

const ACCEPT_REDIRECTED = (address: string, key: string) => [
  { match: { op: "in", left: { ct: { key: "status" } }, right: "dnat" } },
  { match: { op: "==", left: { ct: { key, dir: "original" } }, right: address } },
  { accept: null },
];
const ONE_SOURCE = [{ match: { op: "==", left: { payload: { protocol: "ip", field: "saddr" } }, right: "10.0.0.1" } }, { accept: null }];

function listingOf(chain: object, rules: readonly object[][] = []): string {
  const { family, table, name } = { family: "inet", table: "firewall", name: "input", ...chain };
  const full = { family, table, name, handle: 1, type: "filter", hook: "input", prio: 0, policy: "accept", ...chain };
  return JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6" } },
      { table: { family, name: table, handle: 1 } },
      { chain: full },
      ...rules.map((expr, index) => ({ rule: { family, table, chain: name, handle: index + 2, expr } })),
    ],
  });
}

const V4 = "ct status dnat ct original ip daddr 169.254.169.254 accept";
const V6 = "ct status dnat ct original ip6 daddr fd00:ec2::254 accept";

test.for([
  {
    title: "a policy of drop",
    listing: listingOf({ policy: "drop" }, [ONE_SOURCE]),
    chain: "inet firewall input",
    help: [`nft insert rule inet firewall input ${V4}`, `nft insert rule inet firewall input ${V6}`],
  },
  {
    title: "a last rule that rejects all, after a counter",
    listing: listingOf({ family: "ip", table: "mine", name: "in" }, [
      ONE_SOURCE,
      [{ counter: { packets: 0, bytes: 0 } }, { reject: null }],
    ]),
    chain: "ip mine in",
    help: [`nft insert rule ip mine in ${V4}`],
  },
  {
    title: "a policy of drop that lets IPv4 in",
    listing: listingOf({ policy: "drop" }, [ACCEPT_REDIRECTED("169.254.169.254", "ip daddr")]),
    chain: "inet firewall input",
    help: [`nft insert rule inet firewall input ${V6}`],
  },
  {
    title: "an accept that comes after the rule that drops all",
    listing: listingOf({ family: "ip", table: "mine", name: "in" }, [[{ drop: null }], ACCEPT_REDIRECTED("169.254.169.254", "ip daddr")]),
    chain: "ip mine in",
    help: [`nft insert rule ip mine in ${V4}`],
  },
  {
    title: "a policy of drop that would let IPv4 in after a rule that drops all",
    listing: listingOf({ family: "ip", table: "mine", name: "in", policy: "drop" }, [
      [{ drop: null }],
      ACCEPT_REDIRECTED("169.254.169.254", "ip daddr"),
    ]),
    chain: "ip mine in",
    help: [`nft insert rule ip mine in ${V4}`],
  },
  {
    title: "a rule that drops all and is not the last one",
    listing: listingOf({ family: "ip", table: "mine", name: "in" }, [ONE_SOURCE, [{ drop: null }], ONE_SOURCE]),
    chain: "ip mine in",
    help: [`nft insert rule ip mine in ${V4}`],
  },
])("$title refuses what is redirected", ({ listing, chain, help }) => {
  expect(foreignRefusalsIn(listing)).toEqual([{ chain, help }]);
});

test.for([
  { title: "a chain that refuses one source", listing: listingOf({}, [[...ONE_SOURCE.slice(0, 1), { drop: null }]]) },
  { title: "a chain that refuses all on the forward hook", listing: listingOf({ hook: "forward", policy: "drop" }) },
  { title: "INPUT of iptables", listing: listingOf({ family: "ip", table: "filter", name: "INPUT", policy: "drop" }) },
  { title: "our own table", listing: listingOf({ table: "imdsgate" }, [[{ drop: null }]]) },
  {
    title: "a chain that lets both families in",
    listing: listingOf({ policy: "drop" }, [
      ACCEPT_REDIRECTED("169.254.169.254", "ip daddr"),
      ACCEPT_REDIRECTED("fd00:ec2::254", "ip6 daddr"),
    ]),
  },
  {
    title: "a chain that lets redirected requests in before it drops all",
    listing: listingOf({ family: "ip" }, [ACCEPT_REDIRECTED("169.254.169.254", "ip daddr"), [{ drop: null }], ONE_SOURCE]),
  },
  { title: "no JSON", listing: "Error: syntax error" },
  { title: "JSON of another kind", listing: '{"nftables": [null, 7, {"chain": null}]}' },
])("$title is no refusal", ({ listing }) => {
  expect(foreignRefusalsIn(listing)).toEqual([]);
});

test("where nft may not look, there is nothing to tell", async () => {
  const { run } = scriptedRun({
    "nft -j list ruleset": { exitCode: 1, stderr: "Operation not permitted", stdout: listingOf({ policy: "drop" }) },
  });
  expect(await listForeignRefusals(run)).toEqual([]);
});
