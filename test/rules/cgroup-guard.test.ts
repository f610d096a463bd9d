import { describe, expect, test } from "vitest";
import { type CgroupGuardSet, canGuardCgroups, cgroupGuard, cgroupGuardScript } from "../../src/rules/cgroup-guard.ts";
import { type Answer, MISSING, scriptedRun } from "./scripted-run.ts";

const SET: CgroupGuardSet = {
  prefix: "unified/",
  shared: ["system.slice", "mine/deep"],
  known: ["init.scope", "system.slice", "system.slice/system-a\\x2db.slice"],
  ownContainer: "docker/gateway",
};

describe("the cgroup guard's text for nft", () => {
  test("replaces the table; what is known passes and the rest of each directory does not, while somebody keeps it alive", () => {
    expect(cgroupGuardScript(SET)).toBe(`add table inet imdsgate-cgroups
delete table inet imdsgate-cgroups
table inet imdsgate-cgroups {
  set alive {
    type nf_proto
    flags timeout
    elements = { ipv4 timeout 60s, ipv6 timeout 60s }
  }
  set known {
    type cgroupsv2
    elements = {
      "unified/init.scope",
      "unified/system.slice",
      "unified/system.slice/system-a\\x2db.slice"
    }
  }
  set shared {
    type cgroupsv2
    elements = {
      "unified/system.slice",
      "unified/mine/deep"
    }
  }
  chain output-guard {
    type filter hook output priority filter - 10; policy accept;
    meta nfproto != @alive accept
    tcp flags & (fin | syn | rst | ack) != syn ct state established accept
    ip daddr 169.254.169.254 socket cgroupv2 level 2 "unified/docker/gateway" accept
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 2 "unified/docker/gateway" accept
    ip daddr 169.254.169.254 socket cgroupv2 level 1 != @known counter drop
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 1 != @known counter drop
    ip daddr 169.254.169.254 socket cgroupv2 level 1 @shared socket cgroupv2 level 2 != @known counter drop
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 1 @shared socket cgroupv2 level 2 != @known counter drop
    ip daddr 169.254.169.254 socket cgroupv2 level 2 @shared socket cgroupv2 level 3 != @known counter drop
    ip6 daddr fd00:ec2::254 socket cgroupv2 level 2 @shared socket cgroupv2 level 3 != @known counter drop
  }
}
`);
  });

  test("leaves out what it cannot name, which is held back with all that is unknown, and the line of a gateway in no container", () => {
    const text = cgroupGuardScript({
      ...SET,
      shared: [],
      known: ['a"b', "a b", "a*", "a\nb", "é", ""],
      ownContainer: undefined,
    });
    expect(text).toContain('elements = {\n      "unified/a b",\n      "unified/a*",\n      "unified/é"\n    }');
    expect(text).toContain("set shared {\n    type cgroupsv2\n  }");
    expect(text).not.toContain('" accept');
  });
});

const LIST_TABLES = "nft list tables";
const LIST_TABLE = "nft -s list table inet imdsgate-cgroups";
const LIST_ALIVE = "nft list set inet imdsgate-cgroups alive";
const DENIED: Answer = { exitCode: 1, stderr: "Operation not permitted (you must be root)" };
const NO_SUCH: Answer = { exitCode: 1, stderr: "Error: No such file or directory" };
const ALIVE = "table inet imdsgate-cgroups {\n\tset alive {\n\t\telements = { ipv4 timeout 1m30s expires 1m29s }\n\t}\n}\n";

describe("the cgroup guard", () => {
  test.for([
    { said: "the time that is left", answer: { stdout: ALIVE }, isHolding: true },
    { said: "that the time is over", answer: { stdout: ALIVE.replace(/elements.*/, "") }, isHolding: false },
    { said: "that there is none", answer: NO_SUCH, isHolding: false },
    { said: "that we may not look", answer: DENIED, isHolding: false },
    { said: "nothing, for it is not there", answer: MISSING, isHolding: false },
  ])("holds or not, where nft says $said", async ({ answer, isHolding }) => {
    expect(await cgroupGuard(scriptedRun({ [LIST_ALIVE]: answer }).run).isHolding()).toBe(isHolding);
  });

  test("is taken out where it is, and only there", async () => {
    const there = scriptedRun({ [LIST_TABLES]: { stdout: "table inet imdsgate\ntable inet imdsgate-cgroups\n" }, "nft -f -": {} });
    expect(await cgroupGuard(there.run).remove()).toBe(true);
    expect(there.calls).toEqual([LIST_TABLES, "nft -f -\ndelete table inet imdsgate-cgroups\n"]);
    const not = scriptedRun({ [LIST_TABLES]: { stdout: "table inet imdsgate\ntable inet imdsgate-closed\n" } });
    expect(await cgroupGuard(not.run).remove()).toBe(false);
    expect(not.calls).toEqual([LIST_TABLES]);
    await expect(cgroupGuard(scriptedRun({ [LIST_TABLES]: DENIED }).run).remove()).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });

  test("is listed as its chain", async () => {
    const text = cgroupGuardScript(SET).replace(/^(add|delete) .*\n/gm, "");
    const { chains } = await cgroupGuard(scriptedRun({ [LIST_TABLE]: { stdout: text } }).run).standing();
    expect(chains.map(({ name, part }) => ({ name, part }))).toEqual([{ name: "inet imdsgate-cgroups output-guard", part: "closed" }]);
    expect(await cgroupGuard(scriptedRun({ [LIST_TABLE]: NO_SUCH }).run).standing()).toEqual({ text: "", chains: [] });
    await expect(cgroupGuard(scriptedRun({ [LIST_TABLE]: DENIED }).run).standing()).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });

  test("tells what fails, when it is put in", async () => {
    const failing = scriptedRun({ "nft -f -": { exitCode: 1, stderr: "Error: cgroupv2 path fails: No such file or directory" } });
    await expect(cgroupGuard(failing.run).put(SET)).rejects.toMatchObject({ code: "RULES_FAILED" });
  });

  test.for([
    { nft: "takes it", answer: {}, can: true },
    { nft: "may not try", answer: DENIED, can: true },
    { nft: "does not know it", answer: { exitCode: 1, stderr: "Error: syntax error, unexpected cgroupv2" }, can: false },
    { nft: "is not there", answer: MISSING, can: false },
  ])("can be had or not, where nft $nft", async ({ answer, can }) => {
    const { run, calls } = scriptedRun({ "nft --check -f -": answer });
    expect(await canGuardCgroups(run, { isNested: false }, "5.15.0")).toBe(can);
    expect(calls).toHaveLength(1);
  });

  test.for([
    { kernel: "6.11.0-9-generic", can: true },
    { kernel: "7.0.1", can: true },
    { kernel: "6.10.14", can: false },
    { kernel: "5.15.0-1", can: false },
    { kernel: "", can: false },
  ])("is had by a guest that shares the kernel only where its levels are the guest's: $kernel", async ({ kernel, can }) => {
    const { run } = scriptedRun({ "nft --check -f -": {} });
    expect(await canGuardCgroups(run, { isNested: true }, kernel)).toBe(can);
    expect(await canGuardCgroups(run, { isNested: false }, kernel)).toBe(true);
  });
});
