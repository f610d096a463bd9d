import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { freshnessOf } from "../src/identity/freshness.ts";
import { procProcessTable } from "../src/identity/process-table.ts";

/** What the kernel's word on a container costs a connection, in microseconds (medians of batches). */
export interface FreshnessCost {
  /** IPv4 addresses of the container, loopback aside. */
  readonly addresses: number;
  readonly fibTrieBytes: number;
  readonly startTimeMicros: number;
  readonly ownedAddressesMicros: number;
  /** The whole check: start time, addresses, start time. */
  readonly checkMicros: number;
  /** The check where no guard holds the address: the connection must stand in the container's own table of sockets. */
  readonly socketMicros: number;
}

const BATCHES = 60;
const CALLS = 50;
/** The kernel looks through all of its sockets, which takes it a hundred times as long. */
const SOCKET_CALLS = 1;

/** Measures on the living process `pid`, whose network namespace owns `address`. Throws when the check does not find it fresh. */
export function measureFreshness(pid: number, address: string): FreshnessCost {
  const processTable = procProcessTable("/proc");
  const startTime = String(processTable.startTime(pid));
  const owned = processTable.ownedAddresses(pid, "ipv4");
  const workload = { kind: "container" as const, name: "web", id: "", image: undefined, labels: {}, networks: [], addresses: [address] };
  const claimant = { workload, pid, startTime, startedAt: "", namespace: { kind: "own" as const }, macs: [] };
  const source = { address, port: 40_000, local: { host: address, port: 18_169 }, acceptedAt: 0 };
  const verdict = freshnessOf(processTable, claimant, source, "address");
  if (verdict !== "fresh") throw new Error(`the process ${pid} with ${address} is ${verdict}`);
  return {
    addresses: typeof owned === "object" ? owned.size : 0,
    fibTrieBytes: readFileSync(`/proc/${pid}/net/fib_trie`).length,
    startTimeMicros: microsOf(() => processTable.startTime(pid)),
    ownedAddressesMicros: microsOf(() => processTable.ownedAddresses(pid, "ipv4")),
    checkMicros: microsOf(() => freshnessOf(processTable, claimant, source, "address")),
    socketMicros: microsOf(() => freshnessOf(processTable, claimant, source, "socket"), SOCKET_CALLS),
  };
}

function microsOf(act: () => unknown, calls = CALLS): number {
  const batches = Array.from({ length: BATCHES }, () => {
    const startedAt = performance.now();
    for (let call = 0; call < calls; call += 1) act();
    return ((performance.now() - startedAt) * 1_000) / calls;
  });
  return batches.sort((one, other) => one - other)[BATCHES / 2] ?? 0;
}
