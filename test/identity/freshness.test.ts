import { expect, test } from "vitest";
import { freshnessOf } from "../../src/identity/freshness.ts";
import type { Claimant } from "../../src/identity/inventory.ts";
import { type ProcessTable, UNREADABLE } from "../../src/identity/process-table.ts";

const claimant: Claimant = {
  workload: { kind: "container", name: "web", id: "a", image: "app:1", labels: {}, networks: ["bridge"], addresses: ["10.0.0.2"] },
  pid: 7,
  startTime: "100",
  startedAt: "then",
};

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
  };
  expect(freshnessOf(processTable, claimant, "10.0.0.2")).toBe(freshness);
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
    };
    expect(freshnessOf(processTable, claimant, address)).toBe("fresh");
    expect(asked).toEqual(["start time of 7", `${family} of 7`, "start time of 7"]);
  },
);
