import { expect, test } from "vitest";
import type { Claimant } from "../../src/identity/inventory.ts";
import { type Claims, type JudgeParts, judgeHostSocket } from "../../src/identity/judge.ts";
import { type ProcessTable, UNREADABLE } from "../../src/identity/process-table.ts";
import { UNGUARDED } from "../../src/identity/source-guard.ts";

const AGENT: Claimant = {
  workload: { kind: "container", name: "agent", id: "a", image: "agent:1", labels: {}, networks: ["host"], addresses: [] },
  pid: 7,
  startTime: "100",
  startedAt: "then",
  namespace: { kind: "host" },
  macs: [],
};
const OWN = "docker/a";
const NOBODY = { live: [], pending: [], spoofed: [], joiners: [] };

const refuseToSay = () => {
  throw new Error("nobody was to ask that");
};

/** What the judge needs, where process 7 is as the kernel says in this order: start time, cgroup, start time. */
function partsWhere(startTimes: readonly ReturnType<ProcessTable["startTime"]>[], own: ReturnType<ProcessTable["cgroup"]>) {
  const answers = [...startTimes];
  const dropped: string[] = [];
  const silentRoster = {
    claimsOn: refuseToSay,
    claimants: refuseToSay,
    sharersOf: refuseToSay,
    isOnNetwork: refuseToSay,
    isHeard: refuseToSay,
    whenHeard: refuseToSay,
    noteAbsence: refuseToSay,
    renewNetworks: refuseToSay,
    version: refuseToSay,
    isPlaced: refuseToSay,
    place: refuseToSay,
    lookup: refuseToSay,
    learn: refuseToSay,
    learnAnew: refuseToSay,
    seekJoiners: refuseToSay,
    haveAllCgroups: true,
    hear: refuseToSay,
    list: refuseToSay,
    hangUp: refuseToSay,
  };
  const parts: JudgeParts = {
    roster: { ...silentRoster, claimant: (id) => (id === "a" ? AGENT : undefined), drop: (id) => void dropped.push(id) },
    processTable: {
      startTime: () => answers.shift(),
      cgroup: () => own,
      ownedAddresses: refuseToSay,
      holdsConnection: refuseToSay,
      interfaceIndexes: refuseToSay,
    },
    guard: UNGUARDED,
    isAlike: refuseToSay,
  };
  return { parts, dropped };
}

test.for<{
  name: string;
  startTimes: readonly ReturnType<ProcessTable["startTime"]>[];
  own: ReturnType<ProcessTable["cgroup"]>;
  claims: Partial<Claims>;
  dropped: readonly string[];
}>([
  { name: "the process that is in it", startTimes: ["100", "100"], own: OWN, claims: { live: [AGENT.workload] }, dropped: [] },
  { name: "a process of another cgroup", startTimes: ["100", "100"], own: "docker/b", claims: { spoofed: [AGENT.workload] }, dropped: [] },
  {
    name: "a cgroup whose name begins the same",
    startTimes: ["100", "100"],
    own: "docker/",
    claims: { spoofed: [AGENT.workload] },
    dropped: [],
  },
  { name: "another process with its number", startTimes: ["200", "200"], own: OWN, claims: { pending: ["a"] }, dropped: ["a"] },
  {
    name: "one whose number goes on before its cgroup is read",
    startTimes: ["100", "200"],
    own: OWN,
    claims: { pending: ["a"] },
    dropped: ["a"],
  },
  {
    name: "one that ends before its cgroup is read",
    startTimes: ["100", undefined],
    own: undefined,
    claims: { pending: ["a"] },
    dropped: ["a"],
  },
  { name: "one that was not there before", startTimes: ["200", "100"], own: OWN, claims: { pending: ["a"] }, dropped: ["a"] },
  { name: "one whose start cannot be read", startTimes: [UNREADABLE, "100"], own: OWN, claims: { pending: ["a"] }, dropped: [] },
  { name: "one whose cgroup cannot be read", startTimes: ["100", "100"], own: UNREADABLE, claims: { pending: ["a"] }, dropped: [] },
  { name: "one that cannot be read again", startTimes: ["100", UNREADABLE], own: OWN, claims: { pending: ["a"] }, dropped: [] },
  { name: "one without a cgroup2 tree", startTimes: ["100", "100"], own: undefined, claims: { pending: ["a"] }, dropped: ["a"] },
])("who holds a host's socket, and the container's process is $name", ({ startTimes, own, claims, dropped }) => {
  const kernel = partsWhere(startTimes, own);
  expect(judgeHostSocket(kernel.parts, "a", OWN)).toEqual({ ...NOBODY, ...claims });
  expect(kernel.dropped).toEqual(dropped);
});

test("a container that nobody knows yet is to be learned first, and the kernel is not asked", () => {
  const { parts } = partsWhere([], undefined);
  const processTable = { ...parts.processTable, startTime: refuseToSay, cgroup: refuseToSay };
  expect(judgeHostSocket({ ...parts, processTable }, "b", "docker/b")).toEqual({ ...NOBODY, pending: ["b"] });
});
