import { expect, test } from "vitest";
import { freshnessOf } from "../../src/identity/freshness.ts";
import type { Claimant } from "../../src/identity/inventory.ts";
import { type ProcessTable, UNREADABLE } from "../../src/identity/process-table.ts";
import { from } from "../support/identity.ts";

const PLACE = { namespace: { kind: "own" }, macs: [] } as const;
const claimant: Claimant = {
  ...PLACE,
  workload: { kind: "container", name: "web", id: "a", image: "app:1", labels: {}, networks: ["bridge"], addresses: ["10.0.0.2"] },
  pid: 7,
  startTime: "100",
  startedAt: "then",
};

const refuseToSay = () => {
  throw new Error("nobody was to ask that");
};
const UNASKED = { interfaceIndexes: refuseToSay, cgroup: refuseToSay };

test.for([
  {
    name: "the same process that owns the address is fresh",
    startTimes: ["100", "100"],
    owned: ["10.0.0.2", "10.1.0.2"],
    freshness: "fresh",
  },
  { name: "the same process without the address has moved", startTimes: ["100", "100"], owned: ["10.1.0.2"], freshness: "moved" },
  { name: "a process that is gone is dead", startTimes: [undefined, undefined], owned: undefined, freshness: "dead" },
  { name: "another process with its number is dead", startTimes: ["200", "200"], owned: ["10.0.0.2"], freshness: "dead" },
  { name: "one that ends before its addresses are read is dead", startTimes: ["100", undefined], owned: undefined, freshness: "dead" },
  {
    name: "one whose number goes on before its addresses are read is dead",
    startTimes: ["100", "200"],
    owned: ["10.0.0.2"],
    freshness: "dead",
  },
  {
    name: "one that the kernel could not be asked about is unprovable",
    startTimes: [UNREADABLE, UNREADABLE],
    owned: UNREADABLE,
    freshness: "unprovable",
  },
  { name: "one whose addresses cannot be read is unprovable", startTimes: ["100", "100"], owned: UNREADABLE, freshness: "unprovable" },
  { name: "one that was not read again is unprovable", startTimes: ["100", UNREADABLE], owned: ["10.0.0.2"], freshness: "unprovable" },
  { name: "another process is dead, whatever else cannot be read", startTimes: [UNREADABLE, "200"], owned: UNREADABLE, freshness: "dead" },
] as const)("$name", ({ startTimes, owned, freshness }) => {
  const answers = [...startTimes];
  const processTable = {
    startTime: () => answers.shift(),
    ownedAddresses: () => (typeof owned === "object" ? new Set<string>(owned) : owned),
    holdsConnection: refuseToSay,
    ...UNASKED,
  };
  expect(freshnessOf(processTable, claimant, from("10.0.0.2"), "address")).toBe(freshness);
});

test.for([
  { address: "10.0.0.2", family: "ipv4" },
  { address: "fd88::2", family: "ipv6" },
] as const)(
  "$address is looked for among the addresses of its family alone, between two looks at the start time",
  ({ address, family }) => {
    const asked: string[] = [];
    const processTable: ProcessTable = {
      startTime(pid) {
        asked.push(`start time of ${pid}`);
        return "100";
      },
      ownedAddresses(pid, of) {
        asked.push(`${of} of ${pid}`);
        return new Set([address]);
      },
      holdsConnection: refuseToSay,
      ...UNASKED,
    };
    expect(freshnessOf(processTable, claimant, from(address), "address")).toBe("fresh");
    expect(asked).toEqual(["start time of 7", `${family} of 7`, "start time of 7"]);
  },
);

test.for([
  { name: "that it holds is its own", holds: true, owned: ["10.0.0.2"], after: "100", freshness: "fresh" },
  { name: "that it does not hold is somebody else's", holds: false, owned: ["10.0.0.2"], after: "100", freshness: "spoofed" },
  {
    name: "of which the kernel cannot be asked proves nothing",
    holds: UNREADABLE,
    owned: ["10.0.0.2"],
    after: "100",
    freshness: "unprovable",
  },
  { name: "of a process that ended is nobody's", holds: undefined, owned: ["10.0.0.2"], after: undefined, freshness: "dead" },
  { name: "that a later process with its number holds is nobody's", holds: true, owned: ["10.0.0.2"], after: "200", freshness: "dead" },
  { name: "from an address that it has no more is not asked about", holds: false, owned: [], after: "100", freshness: "moved" },
] as const)("where the socket is the proof, a connection $name", ({ holds, owned, after, freshness }) => {
  const asked: unknown[] = [];
  const startTimes = ["100", after];
  const processTable: ProcessTable = {
    startTime: () => startTimes.shift(),
    ownedAddresses: () => new Set<string>(owned),
    holdsConnection(pid, connections) {
      asked.push({ pid, connections });
      return holds;
    },
    ...UNASKED,
  };
  expect(freshnessOf(processTable, claimant, from("10.0.0.2"), "socket")).toBe(freshness);
  const to = [
    { host: "169.254.169.254", port: 80 },
    { host: "172.17.0.1", port: 18_169 },
  ];
  const connections = to.map((end) => ({ from: { host: "10.0.0.2", port: 40_000 }, to: end }));
  expect(asked).toEqual(owned.length === 0 ? [] : [{ pid: 7, connections }]);
});
