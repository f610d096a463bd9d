/**
 * The identity room alone, as the daemon has it: `node --expose-gc identity-room.ts DOCKER_SOCKET`. It prints when it knows all containers, and
 * each that comes after; then it measures what it is asked for, one line of stdin at a time. It ends with its stdin.
 */
import { hrtime, memoryUsage, threadCpuUsage } from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/clock.ts";
import { createIdentity } from "../src/identity/attestor.ts";
import { containerCgroups } from "../src/identity/container-cgroups.ts";
import { dockerRuntime } from "../src/identity/docker.ts";
import { procProcessTable } from "../src/identity/process-table.ts";

/** What the room says by itself. */
export type Told =
  | { readonly told: "known"; readonly workloads: number; readonly ms: number; readonly cpuMs: number }
  /** `atNanos` by the clock that all processes of this machine share. */
  | { readonly told: "seen"; readonly name: string; readonly atNanos: string };

/** What the room is asked: from which addresses it is to attest, how often in all. */
export interface Question {
  readonly addresses: readonly string[];
  readonly calls: number;
}

export interface RoomCost {
  /** One attestation on the clock, by batches: the one in the middle, and the one that 99 of 100 are below. It never waits for anything, so CPU time is no more. */
  readonly attestP50Micros: number;
  readonly attestP99Micros: number;
  /** CPU time of one, the mean of all: the kernel counts it too coarsely for a batch. */
  readonly attestMeanCpuMicros: number;
  /** What is alive on the heap and beside it. */
  readonly liveBytes: number;
}

const BATCH = 25;
const [socketPath = ""] = process.argv.slice(2);
const say = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);

say({ event: "ready", listen: "none:0" });
const startedAt = performance.now();
const startedCpu = threadCpuUsage();
let isListed = false;
const identity = createIdentity({
  runtime: dockerRuntime({ kind: "unix", path: socketPath }, systemClock),
  processTable: procProcessTable("/proc"),
  clock: systemClock,
  staticWorkloads: [],
  // Each address has been held for long: what a connection meets on a host whose guard stands.
  guard: { heldSince: () => 0 },
  socketCgroup: async () => undefined,
  cgroups: containerCgroups("/sys/fs/cgroup", "/proc"),
  isAlike: () => true,
  emit(event) {
    if (event.kind === "runtime-disconnected" || event.kind === "bug") process.stderr.write(`${event.message}\n`);
    if (event.kind !== "runtime-connected") return;
    isListed = true;
    const { user, system } = threadCpuUsage(startedCpu);
    const cpuMs = (user + system) / 1_000;
    say({ told: "known", workloads: event.workloads, ms: performance.now() - startedAt, cpuMs } satisfies Told);
  },
});
identity.onWorkload(({ name }) => {
  if (isListed) say({ told: "seen", name, atNanos: String(hrtime.bigint()) } satisfies Told);
});
void identity.run(new AbortController().signal);

async function attestOnce(address: string): Promise<void> {
  const local = { host: address.replace(/\d+$/, "1"), port: 18_169 };
  const { kind } = await identity.attest({ address, port: 40_000, local, acceptedAt: Date.now() }, "now");
  if (kind !== "known") throw new Error(`${address} is ${kind}`);
}

async function costOf({ addresses, calls }: Question): Promise<RoomCost> {
  for (let call = 0; call < calls / 2; call += 1) await attestOnce(addresses[call % addresses.length] ?? "");
  const batches: number[] = [];
  const before = threadCpuUsage();
  for (let call = 0; call < calls; call += BATCH) {
    const begunAt = performance.now();
    for (let index = 0; index < BATCH; index += 1) await attestOnce(addresses[(call + index) % addresses.length] ?? "");
    batches.push(((performance.now() - begunAt) * 1_000) / BATCH);
  }
  const { user, system } = threadCpuUsage(before);
  batches.sort((one, other) => one - other);
  const at = (share: number) => batches[Math.floor(batches.length * share)] ?? 0;
  return {
    attestP50Micros: at(0.5),
    attestP99Micros: at(0.99),
    attestMeanCpuMicros: (user + system) / (batches.length * BATCH),
    liveBytes: await liveBytes(),
  };
}

/** What the runtime's answers left behind goes with the second collection. */
async function liveBytes(): Promise<number> {
  for (let round = 0; round < 2; round += 1) {
    await sleep(100);
    globalThis.gc?.();
  }
  const { heapUsed, external } = memoryUsage();
  return heapUsed + external;
}

for await (const line of createInterface({ input: process.stdin })) {
  const question: Question = JSON.parse(line);
  say(await costOf(question));
}
process.exit(0);
