import { describe, expect, test } from "vitest";
import { FAMILIES, iptablesBackend, iptablesScript } from "../../src/rules/iptables.ts";
import { NOTHING_PRESENT } from "../../src/rules/iptables-present.ts";
import { nftablesBackend, nftScript } from "../../src/rules/nftables.ts";
import { differenceLine } from "../../src/rules/rule-differences.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { type Answer, scriptedRun } from "./scripted-run.ts";

const WITHOUT: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["ens5"], workloadInterfaces: [] };
const hostNetwork = { caught: ["docker", "system.slice/x.scope"], exempt: ["docker/gateway"] };
const WITH: RuleSet = { ...WITHOUT, hostNetwork };

/** The lines that are in one text and not in the other, in order. */
function added(text: string, to: string): string {
  const before = new Set(to.split("\n"));
  return text
    .split("\n")
    .filter((line) => !before.has(line))
    .join("\n");
}

const LOOK = `ls -di -- ${["", "unified/"].flatMap((prefix) => ["cgroup.controllers", "docker/gateway", ...hostNetwork.caught].map((path) => `/sys/fs/cgroup/${prefix}${path}`)).join(" ")}`;
const listing = (prefix: string, ids: Record<string, number>): Answer => ({
  exitCode: 2,
  stdout: Object.entries({ "cgroup.controllers": 4, ...ids })
    .map(([path, id]) => ` ${id} /sys/fs/cgroup/${prefix}${path}\n`)
    .join(""),
});
const ALL_THERE = { docker: 10, "system.slice/x.scope": 11, "docker/gateway": 12 };

const NFT_CLOSED = `  chain output-closed {
    type filter hook output priority filter - 10; policy accept;
    ip daddr 169.254.169.254 socket cgroupv2 level 2 "docker/gateway" return
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 2 "docker/gateway" return
    ip daddr 169.254.169.254 socket cgroupv2 level 1 "docker" counter drop
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 1 "docker" counter drop
    ip daddr 169.254.169.254 socket cgroupv2 level 2 "system.slice/x.scope" counter drop
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 2 "system.slice/x.scope" counter drop`;

describe("the text for nft", () => {
  test("redirects what comes from a caught cgroup, the exempt ones first, and drops the rest in both tables", () => {
    expect(added(nftScript(WITH), nftScript(WITHOUT))).toBe(`  chain output {
    type nat hook output priority -110; policy accept;
    ip daddr 169.254.169.254 socket cgroupv2 level 2 "docker/gateway" return
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 2 "docker/gateway" return
    ip daddr 169.254.169.254 tcp dport 80 socket cgroupv2 level 1 "docker" counter redirect to :18169
    ip6 daddr fd00:ec2::254 tcp dport 80 socket cgroupv2 level 1 "docker" counter redirect to :18169
    ip daddr 169.254.169.254 tcp dport 80 socket cgroupv2 level 2 "system.slice/x.scope" counter redirect to :18169
    ip6 daddr fd00:ec2::254 tcp dport 80 socket cgroupv2 level 2 "system.slice/x.scope" counter redirect to :18169
${NFT_CLOSED}
${NFT_CLOSED}`);
  });

  test("has the drops alone in the closed part", () => {
    const closed = { ...WITH, parts: "closed" as const };
    expect(added(nftScript(closed), nftScript({ ...WITHOUT, parts: "closed" }))).toBe(`${NFT_CLOSED}\n${NFT_CLOSED}`);
  });

  test("leads to the cgroup2 tree beside those of v1, and counts the level in the tree", () => {
    expect(nftScript(WITH, "unified/")).toContain('socket cgroupv2 level 1 "unified/docker" counter drop');
  });
});

describe.for(FAMILIES)("the text for $program", (family) => {
  const address = { ip: "169.254.169.254", ip6: "fd00:ec2::254" }[family.name];
  const closed = `:IMDSGATE-POST - [0:0]
-A IMDSGATE-POST -m cgroup --path docker/gateway -j RETURN
-A IMDSGATE-POST -m cgroup --path docker -j DROP
-A IMDSGATE-POST -m cgroup --path system.slice/x.scope -j DROP
-I POSTROUTING 1 -d ${address} -j IMDSGATE-POST`;

  test("redirects what comes from a caught cgroup, the exempt ones first, and drops the rest", () => {
    expect(added(iptablesScript(WITH, family), iptablesScript(WITHOUT, family))).toBe(`${closed}
:IMDSGATE-OUT - [0:0]
-A IMDSGATE-OUT -m cgroup --path docker/gateway -j RETURN
-A IMDSGATE-OUT -p tcp --dport 80 -m cgroup --path docker -j REDIRECT --to-ports 18169
-A IMDSGATE-OUT -p tcp --dport 80 -m cgroup --path system.slice/x.scope -j REDIRECT --to-ports 18169
-I OUTPUT 1 -d ${address} -j IMDSGATE-OUT`);
  });

  test("has the drops alone in the closed part, and takes out a chain that is wanted no more", () => {
    const present = {
      ...NOTHING_PRESENT,
      jumps: (table: string) => (table === "nat" ? ["OUTPUT -d 1.2.3.4 -j IMDSGATE-OUT"] : []),
      chains: (table: string) => (table === "nat" ? ["IMDSGATE-PRE", "IMDSGATE-OUT"] : []),
      redirectPort: undefined,
      added: [],
      memory: [],
    };
    const text = iptablesScript({ ...WITH, parts: "closed" }, family, present);
    expect(added(text, iptablesScript({ ...WITHOUT, parts: "closed" }, family))).toBe(
      `${closed}\n-D OUTPUT -d 1.2.3.4 -j IMDSGATE-OUT\n-F IMDSGATE-OUT\n-X IMDSGATE-OUT`,
    );
  });
});

/** Runs as `answers` say; a list of answers is given one after the other, the last one again and again. */
function hostWith(answers: Readonly<Record<string, readonly Answer[]>>) {
  const calls: string[] = [];
  const given = new Map<string, number>();
  const run: RunCommand = async (program, args, input) => {
    const line = [program, ...args].join(" ");
    const count = given.get(line) ?? 0;
    given.set(line, count + 1);
    calls.push(input === undefined ? line : `${line}\n${input}`);
    const answer = answers[line]?.[Math.min(count, answers[line].length - 1)] ?? { exitCode: 1 };
    return { exitCode: 0, stdout: "", stderr: "", isMissing: false, ...answer };
  };
  return { run, calls };
}

const BUILT_IN = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].map((chain) => `:${chain} ACCEPT [0:0]`).join("\n");

const only = (caught: readonly string[]): RuleSet => ({ ...WITHOUT, hostNetwork: { caught, exempt: [] } });

describe("a cgroup that is not there", () => {
  test("is left out of what is loaded", async () => {
    const { run, calls } = scriptedRun({ [LOOK]: listing("", { docker: 10 }), "nft -f -": {} });
    await nftablesBackend(run).apply(WITH);
    expect(calls).toEqual([LOOK, `nft -f -\n${nftScript(only(["docker"]))}`]);
  });

  test("is looked for in the cgroup2 tree alone, where one of v1 has the same name", async () => {
    const listed = listing("unified/", { docker: 10 });
    const { run, calls } = scriptedRun({
      [LOOK]: { ...listed, stdout: `${listed.stdout} 9 /sys/fs/cgroup/system.slice/x.scope\n` },
      "nft -f -": {},
    });
    await nftablesBackend(run).apply(WITH);
    expect(calls.at(-1)).toBe(`nft -f -\n${nftScript(only(["docker"]), "unified/")}`);
  });

  test("leaves nothing to catch where there is no cgroup2 tree at all", async () => {
    const { run, calls } = scriptedRun({ [LOOK]: { exitCode: 2, stdout: " 9 /sys/fs/cgroup/docker\n" }, "nft -f -": {} });
    await nftablesBackend(run).apply(WITH);
    expect(calls.at(-1)).toBe(`nft -f -\n${nftScript(only([]))}`);
  });

  test("makes no load fail when it goes between the look and the load", async () => {
    const { run, calls } = hostWith({
      [LOOK]: [listing("", ALL_THERE), listing("", { docker: 10 })],
      "nft -f -": [{ exitCode: 1, stderr: "Error: cgroupv2 path fails: No such file or directory\n" }, {}],
    });
    await nftablesBackend(run).apply(WITH);
    expect(calls).toEqual([LOOK, `nft -f -\n${nftScript(WITH)}`, LOOK, LOOK, `nft -f -\n${nftScript(only(["docker"]))}`]);
  });

  test("does not make a failure that is none of its own disappear, nor one that never ends", async () => {
    const failing = { "nft -f -": [{ exitCode: 1, stderr: "Error: no\n" }] };
    const steady = hostWith({ ...failing, [LOOK]: [listing("", ALL_THERE)] });
    await expect(nftablesBackend(steady.run).apply(WITH)).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(steady.calls.filter((call) => call.startsWith("nft")).length).toBe(1);
    const restless = hostWith({ ...failing, [LOOK]: Array.from({ length: 20 }, (_, id) => listing("", { docker: id })) });
    await expect(nftablesBackend(restless.run).apply(WITH)).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(restless.calls.filter((call) => call.startsWith("nft")).length).toBe(5);
  });
});

describe("what stands is compared", () => {
  const TABLE = "nft -s list table inet imdsgate";
  const CLOSED = "nft -s list table inet imdsgate-closed";
  /** What nft lists after `script` was loaded. */
  function listed(script: string, change: (text: string) => string = (text) => text) {
    const [, open = "", closed = ""] = script.split(/^(?=table inet)/m);
    return { [TABLE]: [{ stdout: change(open) }], [CLOSED]: [{ stdout: change(closed) }] };
  }
  const differences = async (answers: Parameters<typeof hostWith>[0], applyFirst = false) => {
    const backend = nftablesBackend(hostWith({ "nft -f -": [{}], ...answers }).run);
    if (applyFirst) await backend.apply(WITH);
    return (await backend.differences(WITH)).map(differenceLine);
  };

  test("with what is there: neither a rule left over, which nft lists by number, nor the lack of one is a difference", async () => {
    const vanished = (text: string) => text.replaceAll('"system.slice/x.scope"', "11");
    const look = { [LOOK]: [listing("", { docker: 10, "docker/gateway": 12 })] };
    expect(await differences({ ...look, ...listed(nftScript(WITH), vanished) })).toEqual([]);
    expect(await differences({ ...look, ...listed(nftScript(WITH)) })).toEqual([]);
    expect(await differences({ ...look, ...listed(nftScript({ ...WITH, hostNetwork: { ...hostNetwork, caught: ["docker"] } })) })).toEqual(
      [],
    );
  });

  test("and what is there is missed, by one who has put nothing in himself", async () => {
    const text = nftScript({ ...WITH, hostNetwork: { ...hostNetwork, caught: ["docker"] } });
    const found = await differences({ [LOOK]: [listing("", ALL_THERE)], ...listed(text) });
    expect(found.length).toBe(6);
    expect(found[0]).toBe(
      '- missing    inet imdsgate output: ip daddr 169.254.169.254 tcp dport 80 socket cgroupv2 level 2 "system.slice/x.scope" counter redirect to :18169',
    );
  });

  test("but one that came after the load is not: it is not damage", async () => {
    const text = nftScript({ ...WITH, hostNetwork: { ...hostNetwork, caught: ["docker"] } });
    const looks = [listing("", { docker: 10, "docker/gateway": 12 }), listing("", ALL_THERE)];
    expect(await differences({ [LOOK]: looks, ...listed(text) }, true)).toEqual([]);
  });

  test("and one made anew under its path is missed by iptables too, whose listing looks the same", async () => {
    const saved = (text: string) =>
      text
        .replace(/^-I (\S+) 1 /gm, "-A $1 ")
        .replace(/--path (\S+)/g, '--path "$1"')
        .replace(/^\*.*$/gm, `$&\n${BUILT_IN}`);
    const [ipv4] = FAMILIES;
    if (ipv4 === undefined) throw new Error("there is IPv4");
    const { run } = hostWith({
      "test -e /proc/net/if_inet6": [{ exitCode: 1 }],
      [LOOK]: [listing("", ALL_THERE), listing("", ALL_THERE), listing("", { ...ALL_THERE, docker: 99 })],
      "iptables-legacy-save": [{ stdout: "" }, { stdout: saved(iptablesScript(WITH, ipv4)) }],
      "iptables-legacy-restore --noflush -w 3": [{}],
    });
    const backend = iptablesBackend(run, "legacy");
    await backend.apply(WITH);
    expect(await backend.differences(WITH)).toEqual([]);
    expect((await backend.differences(WITH)).map(differenceLine)).toEqual([
      "- missing    ip mangle IMDSGATE-POST: -m cgroup --path docker -j DROP",
      "- missing    ip nat IMDSGATE-OUT: -m cgroup --path docker -p tcp --dport 80 -j REDIRECT --to-ports 18169",
    ]);
  });
});
