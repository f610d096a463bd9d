import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { CgroupGuard, CgroupGuardSet } from "../../src/rules/cgroup-guard.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { followHostNetwork } from "../../src/rules/follow-host-network.ts";
import type { HostNetworkPlan } from "../../src/rules/host-network.ts";
import { guardCgroups } from "../../src/rules/host-network-look.ts";
import type { HandMovedClock } from "../support/hand-moved-clock.ts";

export const ID = "0123456789abcdef".repeat(4);

export const OTHER = "f".repeat(64);

/** A container of which the runtime has said that it has a network of its own. */
export const ELSEWHERE = "e".repeat(64);

/** A cgroup2 tree with nothing in it, and a plan that follows it; `caught` waits for the next plan that is told. */
export function follow(
  known: () => readonly string[] = () => [],
  guard?: CgroupGuard,
  {
    clock = systemClock,
    before = [],
    isDeaf = false,
  }: { readonly clock?: Clock; readonly before?: readonly string[]; readonly isDeaf?: boolean } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-follow-"));
  const root = join(folder, "cgroup");
  mkdirSync(root);
  writeFileSync(join(root, "cgroup.controllers"), "");
  const told: HostNetworkPlan[] = [];
  let tell = () => {};
  const ending = new AbortController();
  for (const path of before) mkdirSync(join(root, path), { recursive: true });
  const tree = cgroupTree({ root });
  const parts = {
    tree: isDeaf ? { ...tree, watch: () => undefined } : tree,
    own: undefined,
    containers: known,
    isElsewhere: (name: string) => name.includes(ELSEWHERE),
    guard,
  };
  const onPlan = async (plan: HostNetworkPlan) => {
    told.push(plan);
    tell();
  };
  const onGuard = () => guardCgroups(parts).catch(() => undefined);
  const following = followHostNetwork({ ...parts, clock }, { onPlan, onGuard }, ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await following;
    rmSync(folder, { recursive: true });
  });
  let read = 0;
  return {
    parts,
    make: (path: string) => mkdirSync(join(root, path), { recursive: true }),
    remove: (path: string) => rmdirSync(join(root, path)),
    /** Another cgroup under the same path. The old directory is kept elsewhere: its number would be given again, which the kernel's tree never does. */
    makeAnew(path: string): void {
      renameSync(join(root, path), join(folder, "old"));
      mkdirSync(join(root, path));
    },
    /** What is caught by the plan after the one that was asked for before. */
    async caught(): Promise<readonly string[] | undefined> {
      while (told.length <= read) await new Promise<void>((resolve) => (tell = resolve));
      read += 1;
      return told[read - 1]?.capture?.caught;
    },
  };
}

/** A guard that remembers what is put in, and fails where `act` throws. */
export function guardWith(act: (set: CgroupGuardSet) => void = () => {}, isHolding = () => true) {
  const sets: CgroupGuardSet[] = [];
  let ring = () => {};
  const guard: CgroupGuard = {
    async put(set) {
      act(set);
      sets.push(set);
      ring();
    },
    isHolding: async () => isHolding(),
    remove: async () => false,
    standing: async () => ({ text: "", chains: [] }),
  };
  return {
    guard,
    sets,
    /** Once something is put in that is as wanted. */
    async held(isWanted: (set: CgroupGuardSet) => boolean): Promise<CgroupGuardSet | undefined> {
      while (!sets.some(isWanted)) await new Promise<void>((resolve) => (ring = resolve));
      return sets.find(isWanted);
    },
  };
}

/** Moves a clock on until `promise` has its value. */
export async function passing<T>(clock: HandMovedClock, stepMs: number, promise: Promise<T>): Promise<T> {
  let isOver = false;
  void promise.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    clock.advance(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return promise;
}

/** Slow enough that what waits for half a second is not mistaken for what comes at once. */
export const CREEPING_MS = 0.1;

/** Until what follows has looked once more, and rests. */
export async function resting(clock: HandMovedClock): Promise<void> {
  for (let times = 0; times < 20; times += 1) {
    clock.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
