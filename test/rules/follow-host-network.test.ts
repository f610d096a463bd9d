import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import { ImdsgateError } from "../../src/errors.ts";
import type { CgroupGuard, CgroupGuardSet } from "../../src/rules/cgroup-guard.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { followHostNetwork, guardCgroups, hostNetworkPlan } from "../../src/rules/follow-host-network.ts";
import type { HostNetworkPlan } from "../../src/rules/host-network.ts";
import { type HandMovedClock, handMovedClock } from "../support/hand-moved-clock.ts";

const ID = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);
/** A container of which the runtime has said that it has a network of its own. */
const ELSEWHERE = "e".repeat(64);

/** A cgroup2 tree with nothing in it, and a plan that follows it; `caught` waits for the next plan that is told. */
function follow(known: () => readonly string[] = () => [], guard?: CgroupGuard, clock: Clock = systemClock) {
  const root = mkdtempSync(join(tmpdir(), "imdsgate-follow-"));
  writeFileSync(join(root, "cgroup.controllers"), "");
  const told: HostNetworkPlan[] = [];
  let tell = () => {};
  const ending = new AbortController();
  const parts = {
    tree: cgroupTree({ root }),
    own: undefined,
    parents: ["apps.slice/boxes"],
    driver: () => undefined,
    containers: known,
    isElsewhere: (name: string) => name.includes(ELSEWHERE),
    guard,
  };
  const onPlan = async (plan: HostNetworkPlan) => {
    told.push(plan);
    tell();
  };
  const onGuard = () => guardCgroups(parts, 7);
  const following = followHostNetwork({ ...parts, clock }, { onPlan, onGuard }, ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await following;
    rmSync(root, { recursive: true });
  });
  let read = 0;
  return {
    parts,
    make: (path: string) => mkdirSync(join(root, path), { recursive: true }),
    remove: (path: string) => rmdirSync(join(root, path)),
    /** What is caught by the plan after the one that was asked for before. */
    async caught(): Promise<readonly string[] | undefined> {
      while (told.length <= read) await new Promise<void>((resolve) => (tell = resolve));
      read += 1;
      return told[read - 1]?.capture?.caught;
    },
  };
}

test("a place for containers is caught when it appears, at any depth, and let go when it goes", async () => {
  const { make, remove, caught } = follow();
  expect(await caught()).toEqual([]);
  make("docker");
  expect(await caught()).toEqual(["docker"]);
  make("apps.slice");
  make("apps.slice/boxes");
  expect(await caught()).toEqual(["docker", "apps.slice/boxes"]);
  remove("docker");
  expect(await caught()).toEqual(["apps.slice/boxes"]);
});

test("a container among services is caught when it appears, also where the place itself came late", async () => {
  const { make, remove, caught } = follow();
  expect(await caught()).toEqual([]);
  make(`system.slice/docker-${ID}.scope`);
  expect(await caught()).toEqual([`system.slice/docker-${ID}.scope`]);
  make("system.slice/cron.service");
  make(`system.slice/docker-${OTHER}.scope`);
  expect(await caught()).toEqual([ID, OTHER].map((id) => `system.slice/docker-${id}.scope`));
  remove(`system.slice/docker-${ID}.scope`);
  expect(await caught()).toEqual([`system.slice/docker-${OTHER}.scope`]);
});

test("a cgroup that is made anew under its path is told again: the rule for the old one catches nothing", async () => {
  const { make, remove, caught } = follow();
  expect(await caught()).toEqual([]);
  make("docker");
  expect(await caught()).toEqual(["docker"]);
  remove("docker");
  // takes the number that is free, so that the new one has another
  make("apps.slice");
  make("docker");
  let last = await caught();
  if (last?.length === 0) last = await caught();
  expect(last).toEqual(["docker"]);
});

test("where a container that the runtime knows lives, others are looked for too", async () => {
  const { parts, make, caught } = follow(() => [`own.slice/docker-${ID}.scope`]);
  make(`own.slice/docker-${OTHER}.scope`);
  while (!(await caught())?.includes(`own.slice/docker-${OTHER}.scope`));
  expect(hostNetworkPlan(parts)).toMatchObject({
    capture: { caught: [ID, OTHER].map((id) => `own.slice/docker-${id}.scope`), exempt: [] },
    window: "short",
  });
});

/** A guard that remembers what is put in, and fails where `act` throws. */
function guardWith(act: (set: CgroupGuardSet) => void = () => {}) {
  const sets: CgroupGuardSet[] = [];
  let ring = () => {};
  const guard: CgroupGuard = {
    async put(set) {
      act(set);
      sets.push(set);
      ring();
    },
    isHolding: async () => false,
    remove: async () => false,
    standing: async () => ({ text: "", chains: [] }),
  };
  return {
    guard,
    /** Once something is put in that is as wanted. */
    async held(isWanted: (set: CgroupGuardSet) => boolean): Promise<CgroupGuardSet | undefined> {
      while (!sets.some(isWanted)) await new Promise<void>((resolve) => (ring = resolve));
      return sets.find(isWanted);
    },
  };
}

test("the guard knows the host's own cgroups, and no container's and no place for containers, from their first moment on", async () => {
  const { guard, held } = guardWith();
  const { make } = follow(undefined, guard);
  await held(() => true);
  for (const path of [`docker/${ID}`, "apps.slice/boxes", `apps.slice/docker-${ID}.scope`, "user.slice/user-0.slice"]) make(path);
  make(`system.slice/system-a\\x2db.slice/b@1.service/deep`);
  expect(await held(({ known }) => known.some((path) => path.endsWith("b@1.service")))).toEqual({
    prefix: "",
    shared: ["apps.slice", "system.slice", "system.slice/system-a\\x2db.slice"],
    known: [
      "apps.slice",
      "system.slice",
      "user.slice",
      "system.slice/system-a\\x2db.slice",
      "system.slice/system-a\\x2db.slice/b@1.service",
    ],
    ownContainer: undefined,
  });
});

test("a service that is started anew under its name is told to the guard, for the kernel knows it by another number", async () => {
  const { guard, held } = guardWith();
  const { make, remove } = follow(undefined, guard);
  make("system.slice/cron.service");
  let puts = 0;
  await held(({ known }) => known.includes("system.slice/cron.service"));
  remove("system.slice/cron.service");
  make("system.slice/other.service");
  make("system.slice/cron.service");
  await held(({ known }) => {
    puts += known.includes("system.slice/cron.service") ? 1 : 0;
    return puts > 1;
  });
});

test("what goes while the guard is put in is left out the next time, and what fails without that is told", async () => {
  const { guard, held } = guardWith(({ known }) => {
    if (!known.includes("gone.service")) return;
    remove("gone.service");
    throw new ImdsgateError("RULES_FAILED", "path fails");
  });
  const { make, remove, parts } = follow(undefined, guard);
  await held(() => true);
  make("gone.service");
  make("here.service");
  expect((await held(({ known }) => known.includes("here.service")))?.known).toEqual(["here.service"]);
  const failing = guardWith(() => {
    throw new ImdsgateError("RULES_FAILED", "nft is broken");
  });
  await expect(guardCgroups({ ...parts, guard: failing.guard }, 7)).rejects.toThrow("nft is broken");
});

test("nothing is guarded where the tree cannot be seen: all would be unknown there", async () => {
  const { parts } = follow();
  const failing = guardWith(() => {
    throw new Error("put in");
  });
  expect(await guardCgroups({ ...parts, tree: { ...parts.tree, isPart: true }, guard: failing.guard }, 7)).toBe(false);
  expect(await guardCgroups({ ...parts, guard: undefined }, 7)).toBe(false);
});

test.for([1, 2, 3])(
  "a place that comes between two of the looks at the tree is shared wherever it is known: not after %s",
  async (looks) => {
    const { guard, held } = guardWith();
    const { parts, make } = follow();
    let looked = 0;
    const children = (path: string) => {
      const seen = parts.tree.children(path);
      if (path === "") looked += 1;
      if (path === "" && looked === looks) make(`late.slice/docker-${ID}.scope`);
      return seen;
    };
    expect(await guardCgroups({ ...parts, tree: { ...parts.tree, children }, guard }, 7)).toBe(true);
    const set = await held(() => true);
    expect(set?.known.includes("late.slice")).toBe(set?.shared.includes("late.slice"));
  },
);

test("a container that comes just before its place is watched is caught all the same", async () => {
  const { parts, make } = follow();
  make("system.slice");
  const watch = (path: string) => {
    if (path === "system.slice") make(`system.slice/docker-${ID}.scope`);
    return parts.tree.watch(path, () => {});
  };
  const caught = Promise.withResolvers<readonly string[] | undefined>();
  const ending = new AbortController();
  const onPlan = async ({ capture }: HostNetworkPlan) => caught.resolve(capture?.caught);
  const following = followHostNetwork(
    { ...parts, tree: { ...parts.tree, watch }, clock: systemClock },
    { onPlan, onGuard: async () => false },
    ending.signal,
  );
  expect(await caught.promise).toEqual([`system.slice/docker-${ID}.scope`]);
  ending.abort();
  await following;
});

/** Moves a clock on until `promise` has its value. */
async function passing<T>(clock: HandMovedClock, stepMs: number, promise: Promise<T>): Promise<T> {
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

test("under the guard a new container has no rule while the runtime may yet name it, and has one then", async () => {
  const clock = handMovedClock();
  const { guard, held } = guardWith();
  const { make, caught } = follow(undefined, guard, clock);
  expect(await caught()).toEqual([]);
  await held(() => true);
  make(`system.slice/docker-${ID}.scope`);
  // at once, and the other one is there by then
  make("docker");
  expect(await passing(clock, 1, caught())).toEqual(["docker"]);
  expect(await passing(clock, 50, caught())).toEqual(["docker", `system.slice/docker-${ID}.scope`]);
});

test("under the guard a container with a network of its own has no rule; without it, it has one like all", () => {
  const { guard } = guardWith();
  const { parts, make } = follow();
  for (const id of [ID, ELSEWHERE]) make(`system.slice/docker-${id}.scope`);
  expect(hostNetworkPlan({ ...parts, guard }).capture?.caught).toEqual([`system.slice/docker-${ID}.scope`]);
  expect(hostNetworkPlan(parts).capture?.caught).toEqual([ID, ELSEWHERE].map((id) => `system.slice/docker-${id}.scope`));
});
