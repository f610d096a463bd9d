import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { followHostNetwork } from "../../src/rules/follow-host-network.ts";
import type { HostNetworkPlan } from "../../src/rules/host-network.ts";
import { hostNetworkPlan } from "../../src/rules/host-network-look.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { follow, ID, OTHER, passing, resting } from "./followed-tree.ts";

test("a place for containers is caught when it appears, and let go when it goes", async () => {
  const { make, remove, caught } = follow();
  expect(await caught()).toEqual([]);
  make("docker");
  expect(await caught()).toEqual(["docker"]);
  make("system.slice");
  make("kubepods.slice");
  expect(await caught()).toEqual(["docker", "kubepods.slice"]);
  remove("docker");
  expect(await caught()).toEqual(["kubepods.slice"]);
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
  const { make, makeAnew, caught } = follow();
  expect(await caught()).toEqual([]);
  make("docker");
  expect(await caught()).toEqual(["docker"]);
  makeAnew("docker");
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
    { onPlan, onGuard: async () => undefined },
    ending.signal,
  );
  expect(await caught.promise).toEqual([`system.slice/docker-${ID}.scope`]);
  ending.abort();
  await following;
});

test.for([
  { what: "the runtime's word is heard", isDeaf: false },
  { what: "a directory that cannot be watched is looked at", isDeaf: true },
])("$what within seconds", async ({ isDeaf }) => {
  const clock = handMovedClock();
  const known: string[] = [];
  const path = isDeaf ? `system.slice/docker-${ID}.scope` : `user.slice/docker-${ID}.scope`;
  const { caught, make } = follow(() => known, undefined, { clock, isDeaf, before: ["system.slice", "user.slice"] });
  expect(await passing(clock, 20, caught())).toEqual([]);
  await resting(clock);
  make(path);
  if (!isDeaf) known.push(path);
  const since = clock.now();
  expect(await passing(clock, 20, caught())).toEqual([path]);
  expect(clock.now() - since).toBeLessThan(10_000);
});

test("what went is let go within seconds", async () => {
  const clock = handMovedClock();
  const { caught, remove } = follow(undefined, undefined, { clock, before: ["docker"] });
  expect(await passing(clock, 20, caught())).toEqual(["docker"]);
  await resting(clock);
  remove("docker");
  const since = clock.now();
  expect(await passing(clock, 20, caught())).toEqual([]);
  expect(clock.now() - since).toBeLessThan(10_000);
});
