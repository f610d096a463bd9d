import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { followHostNetwork, hostNetworkPlan } from "../../src/rules/follow-host-network.ts";
import type { HostNetworkPlan } from "../../src/rules/host-network.ts";

const ID = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);

/** A cgroup2 tree with nothing in it, and a plan that follows it; `caught` waits for the next plan that is told. */
function follow(known: () => readonly string[] = () => []) {
  const root = mkdtempSync(join(tmpdir(), "imdsgate-follow-"));
  writeFileSync(join(root, "cgroup.controllers"), "");
  const told: HostNetworkPlan[] = [];
  let tell = () => {};
  const ending = new AbortController();
  const parts = { tree: cgroupTree(root), own: undefined, parents: ["apps.slice/boxes"], driver: () => undefined, containers: known };
  const following = followHostNetwork(
    { ...parts, clock: systemClock },
    async (plan) => {
      told.push(plan);
      tell();
    },
    ending.signal,
  );
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
