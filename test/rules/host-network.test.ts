import { describe, expect, test } from "vitest";
import { type CgroupFacts, hostNetworkCapture, isCgroupPath, isContainerDir, mayHoldContainers } from "../../src/rules/host-network.ts";

const ID = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);
const NOTHING: CgroupFacts = {
  version: "v2",
  own: "system.slice/imdsgate.service",
  containers: [],
  present: [],
  isPart: false,
  shared: ["", "system.slice"],
  isGuarded: false,
};

describe("a capture", () => {
  test("is a place as a whole where containers live and nothing else does", () => {
    const facts: CgroupFacts = { ...NOTHING, present: ["docker"], containers: [`docker/${ID}`] };
    expect(hostNetworkCapture(facts)).toMatchObject({
      capture: { caught: ["docker"], exempt: [] },
      window: "none",
      reason: "all containers live below /docker, and one rule catches all that is there.",
    });
  });

  test("is a rule for each container where they share their place with services of the host", () => {
    const containers = [
      `system.slice/docker-${OTHER}.scope`,
      `system.slice/docker-${ID}.scope`,
      `machine.slice/libpod-${ID}.scope/container`,
    ];
    expect(hostNetworkCapture({ ...NOTHING, containers })).toMatchObject({
      capture: {
        caught: [`machine.slice/libpod-${ID}.scope`, `system.slice/docker-${ID}.scope`, `system.slice/docker-${OTHER}.scope`],
        exempt: [],
      },
      window: "short",
      reason:
        "containers share /system.slice and /machine.slice with services of the host, so each has a rule of its own, which goes in when its cgroup appears.",
    });
  });

  test("waits for the first container where none has run yet", () => {
    expect(hostNetworkCapture(NOTHING)).toMatchObject({ capture: { caught: [], exempt: [] }, window: "short" });
  });

  test("leaves no window where the kernel holds back what is new", () => {
    const guarded = { ...NOTHING, isGuarded: true };
    const reason = "what a new cgroup sends is held back until imdsgate has seen whose it is.";
    for (const containers of [[], [`system.slice/docker-${ID}.scope`]]) {
      expect(hostNetworkCapture({ ...guarded, containers })).toMatchObject({ window: "none", reason });
    }
    expect(hostNetworkCapture({ ...guarded, containers: ["system.slice/docker.service"] })).toMatchObject({ window: "uncovered" });
  });

  test("follows what comes where containers may stand, and beside those that are known elsewhere", () => {
    const containers = [`user.slice/mine/${ID}`, `work.slice/boxes/${OTHER}`];
    const { shared, watch, parents } = hostNetworkCapture({ ...NOTHING, containers });
    expect(shared).toEqual(["", "system.slice", "user.slice/mine", "work.slice/boxes"]);
    expect(watch).toEqual(["", "system.slice", "user.slice/mine", "work.slice/boxes"]);
    expect(parents).toEqual(["docker", "libpod_parent", "kubepods", "kubepods.slice"]);
  });

  test.for([
    { own: `system.slice/docker-${ID}.scope`, ownContainer: `system.slice/docker-${ID}.scope` },
    { own: `docker/${ID}/inner`, ownContainer: `docker/${ID}/inner` },
    { own: "kubepods/burstable/pod1/x", ownContainer: "kubepods/burstable/pod1/x" },
    { own: "system.slice/imdsgate.service", ownContainer: undefined },
    { own: "docker", ownContainer: undefined },
    { own: "", ownContainer: undefined },
    { own: undefined, ownContainer: undefined },
    { own: `my\\x2dapps.slice/docker-${ID}.scope`, ownContainer: `my\\x2dapps.slice/docker-${ID}.scope` },
  ])("knows whether the gateway itself is in a container: $own", ({ own, ownContainer }) => {
    expect(hostNetworkCapture({ ...NOTHING, own }).ownContainer).toBe(ownContainer);
  });

  test.for([
    { own: "system.slice/imdsgate.service", exempt: [] },
    { own: "", exempt: [] },
    { own: undefined, exempt: [] },
    { own: `docker/${ID}`, exempt: [`docker/${ID}`] },
    { own: `docker/${ID}/inner`, exempt: [`docker/${ID}/inner`] },
    { own: `docker2/${ID}`, exempt: [] },
  ])("exempts the gateway only where it is below a caught place: $own", ({ own, exempt }) => {
    expect(hostNetworkCapture({ ...NOTHING, own, present: ["docker"] }).capture).toEqual({ caught: ["docker"], exempt });
  });

  test("leaves the gateway's own container alone, which is no other's", () => {
    const own = `system.slice/docker-${ID}.scope`;
    const containers = [own, `system.slice/docker-${OTHER}.scope`];
    expect(hostNetworkCapture({ ...NOTHING, own, containers }).capture).toEqual({
      caught: [`system.slice/docker-${OTHER}.scope`],
      exempt: [],
    });
  });

  test("never exempts a place that others are in or may come to", () => {
    const facts: CgroupFacts = { ...NOTHING, own: "docker", present: ["docker"], containers: [`docker/${ID}`] };
    expect(hostNetworkCapture(facts)).toMatchObject({
      capture: { caught: [], exempt: [] },
      window: "uncovered",
      reason: `what runs in /docker/${ID} cannot be told from the host or the gateway, and reaches the real service.`,
    });
  });

  test.for(["", "user.slice/user-1000.slice/session-2.scope", `a"b/${ID}`, `../${ID}`])(
    "does not catch %j, where a container shares its cgroup or rules cannot hold it, and says so",
    (path) => {
      expect(hostNetworkCapture({ ...NOTHING, present: ["docker"], containers: [path, `docker/${ID}`] })).toMatchObject({
        capture: { caught: ["docker"], exempt: [] },
        window: "uncovered",
        reason: `what runs in /${path} cannot be told from the host or the gateway, and reaches the real service.`,
      });
    },
  );

  test.for([
    {
      facts: { version: "v1" },
      reason: "this host has cgroup v1 alone: the kernel cannot tell the sockets of host-network containers from those of the host.",
    },
    {
      facts: { version: undefined },
      reason:
        "there is no cgroup tree at /sys/fs/cgroup: the kernel cannot tell the sockets of host-network containers from those of the host.",
    },
    {
      facts: { isPart: true },
      reason:
        "imdsgate has a cgroup namespace of its own, and does not see where containers live: start its container with --cgroupns host (Compose: cgroup: host).",
    },
  ] as const)("is not to be had where the tree is not: $facts", ({ facts, reason }) => {
    const nothing = { capture: undefined, parents: [], shared: [], ownContainer: undefined, watch: [], window: "uncovered", reason };
    const containers = [`docker/${ID}`];
    expect(hostNetworkCapture({ ...NOTHING, isGuarded: true, present: ["docker"], containers, ...facts })).toEqual(nothing);
  });
});

test.for([
  ["docker", true],
  [`system.slice/docker-${ID}.scope`, true],
  ["user.slice/user@1000.service/a_b:c", true],
  ["", false],
  ["/docker", false],
  ["docker/", false],
  ["a//b", false],
  ["a/../b", false],
  [".", false],
  ["a b", false],
  ['a"b', false],
  ["a\nb", false],
  ["a\\x2db", false],
  [`${"a".repeat(512)}`, false],
] as const)("whether rules can hold the path %j: %s", ([path, can]) => {
  expect(isCgroupPath(path)).toBe(can);
});

test.for([
  [ID, true],
  [`docker-${ID}.scope`, true],
  [`libpod-${ID}.scope`, true],
  [`cri-containerd-${ID}.scope`, true],
  ["system.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf", true],
  ["builds-own.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf", true],
  ["system.slice:docker:", false],
  ["crun-buildah-buildah1234567.scope", true],
  ["runc-buildah-buildah1234567.scope", true],
  [`libpod-${ID}`, true],
  [`libpod-conmon-${ID}.scope`, false],
  [ID.slice(1), false],
  [`${ID}0`, false],
  ["docker.service", false],
  [`docker-${ID.toUpperCase()}.scope`, false],
] as const)("whether %s is a container's directory: %s", ([name, is]) => {
  expect(isContainerDir(name)).toBe(is);
});

test.for([
  ["system.slice", true],
  ["system-getty.slice", true],
  ["mine", true],
  ["user.slice", false],
  ["cron.service", false],
  ["init.scope", false],
  ["tmp.mount", false],
  [ID, false],
  [`docker-${ID}.scope`, false],
] as const)("whether containers may come to a directory named %s: %s", ([name, may]) => {
  expect(mayHoldContainers(name)).toBe(may);
});
