import { describe, expect, test } from "vitest";
import { type ListedChain, ruleDifferences } from "../../src/rules/rule-differences.ts";
import { IMDS_IPV4, IMDS_IPV6 } from "../../src/rules/rule-set.ts";
import { isSameInOtherWords, withoutWording } from "../../src/rules/rule-wording.ts";

const chain = (name: string, ...rules: string[]): ListedChain => ({ name, part: "closed", rules });

describe("the same in other words", () => {
  const differ = (wanted: readonly ListedChain[], standing: readonly ListedChain[]) =>
    isSameInOtherWords(ruleDifferences(wanted, standing));
  test("is a rule that only reads otherwise", () => {
    expect(differ([chain("a", "tcp dport 80 drop")], [chain("a", "tcp dport http drop")])).toBe(true);
  });
  test.for([
    ["ip daddr 169.254.169.254 counter drop", "ip daddr 169.254.169.254 drop"],
    ["-d 169.254.169.254 -j DROP", "-d 169.254.169.254/32 -j DROP"],
    ['iifname "br-1" tcp dport 80 redirect to :18169', 'iifname "br-1" meta l4proto tcp tcp dport http redirect to :18169'],
    ["type filter hook input priority -10; policy accept;", "type filter hook input device none priority -10; policy accept;"],
  ])("is %s, listed as %s", ([asked = "", listed = ""]) => {
    expect(differ([chain("a", asked)], [chain("a", listed)])).toBe(true);
  });
  test.for([
    { title: "nothing at all", wanted: [], standing: [] },
    { title: "a rule too many", wanted: [chain("a", "x drop")], standing: [chain("a", "y drop", "accept")] },
    { title: "a rule too few", wanted: [chain("a", "x drop", "z drop")], standing: [chain("a", "y drop")] },
    { title: "another verdict", wanted: [chain("a", "x drop")], standing: [chain("a", "x accept")] },
    {
      title: "another address",
      wanted: [chain("a", `ip daddr ${IMDS_IPV4} counter drop`)],
      standing: [chain("a", "ip daddr 192.0.2.1 counter drop")],
    },
    {
      title: "another address of IPv6",
      wanted: [chain("a", `ip6 daddr ${IMDS_IPV6} drop`)],
      standing: [chain("a", "ip6 daddr fd00:ec2::253 drop")],
    },
    {
      title: "one address more",
      wanted: [chain("a", `ip daddr ${IMDS_IPV4} drop`)],
      standing: [chain("a", `ip saddr 192.0.2.1 ip daddr ${IMDS_IPV4} drop`)],
    },
    { title: "the other end", wanted: [chain("a", `ip daddr ${IMDS_IPV4} drop`)], standing: [chain("a", `ip saddr ${IMDS_IPV4} drop`)] },
    { title: "another port", wanted: [chain("a", "tcp dport 18169 counter drop")], standing: [chain("a", "tcp dport 9 counter drop")] },
    {
      title: "another port to redirect to",
      wanted: [chain("a", "-p tcp --dport 80 -j REDIRECT --to-ports 1")],
      standing: [chain("a", "-p tcp --dport http -j REDIRECT --to-ports 2")],
    },
    { title: "another interface", wanted: [chain("a", 'iifname "eth0" return')], standing: [chain("a", 'iifname "eth1" return')] },
    { title: "another interface of iptables", wanted: [chain("a", "-i eth0 -j RETURN")], standing: [chain("a", "-i br-1 -j RETURN")] },
    { title: "the opposite", wanted: [chain("a", 'iifname != "lo" drop')], standing: [chain("a", 'iifname "lo" drop')] },
    {
      title: "another verdict before the last word",
      wanted: [chain("a", "x -j REDIRECT --to-ports 1")],
      standing: [chain("a", "x -j ACCEPT --to-ports 1")],
    },
    { title: "another chain", wanted: [chain("a", "x drop")], standing: [chain("b", "x drop")] },
    { title: "another order", wanted: [chain("a", "x drop", "y accept")], standing: [chain("a", "y accept", "x drop")] },
  ])("is not $title", ({ wanted, standing }) => {
    expect(differ(wanted, standing)).toBe(false);
  });
});

describe("without the wording", () => {
  const wanted = [chain("a", "1 x", "2 x"), chain("b", "3 x")];
  const otherwise = [chain("a", "1 y", "2 y"), chain("b", "3 y")];
  const wording = ruleDifferences(wanted, otherwise);
  const left = (standing: readonly ListedChain[]) =>
    withoutWording(ruleDifferences(wanted, standing), wording).map(({ kind, chain: name, rule }) => `${kind} ${name} ${rule}`);

  test("nothing is left where all stands as it is listed, and all that is new is", () => {
    expect(left(otherwise)).toEqual([]);
    expect(left([...otherwise, chain("c", "4")])).toEqual(["foreign c 4"]);
    expect(left([chain("a", "1 y", "2 y", "2 y"), chain("b", "3 y")])).toEqual(["foreign a 2 y"]);
  });

  test("a chain of which one rule is gone is told whole; the others are as they were", () => {
    expect(left([chain("a", "1 y"), chain("b", "3 y")])).toEqual(["missing a 1 x", "missing a 2 x", "foreign a 1 y"]);
    expect(left([chain("a", "1 y", "2 y")])).toEqual(["missing b 3 x"]);
  });
});
