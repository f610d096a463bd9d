import { expect, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { guardCgroups, hostNetworkPlan } from "../../src/rules/host-network-look.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { CREEPING_MS, ELSEWHERE, follow, guardWith, ID, passing, resting } from "./followed-tree.ts";

test("the guard knows the host's own cgroups, and no container's and no place for containers, from their first moment on", async () => {
  const { guard, held } = guardWith();
  const { make } = follow(undefined, guard);
  await held(() => true);
  for (const path of [`docker/${ID}`, `apps.slice/docker-${ID}.scope`, "user.slice/user-0.slice"]) make(path);
  make(`system.slice/system-a\\x2db.slice/b@1.service/deep`);
  expect(await held(({ known }) => known.some((path) => path.endsWith("b@1.service")))).toEqual({
    prefix: "",
    shared: ["system.slice", "apps.slice", "system.slice/system-a\\x2db.slice"],
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
  const clock = handMovedClock();
  const { guard, held, sets } = guardWith();
  const { makeAnew } = follow(undefined, guard, { clock, before: ["system.slice/cron.service"] });
  await held(({ known }) => known.includes("system.slice/cron.service"));
  await resting(clock);
  const before = sets.length;
  const since = clock.now();
  makeAnew("system.slice/cron.service");
  await passing(
    clock,
    20,
    held(() => sets.length > before),
  );
  // well before it is put in again anyway
  expect(clock.now() - since).toBeLessThan(10_000);
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
  await expect(guardCgroups({ ...parts, guard: failing.guard })).rejects.toThrow("nft is broken");
});

test("nothing is guarded where the tree cannot be seen: all would be unknown there", async () => {
  const { parts } = follow();
  const failing = guardWith(() => {
    throw new Error("put in");
  });
  expect(await guardCgroups({ ...parts, tree: { ...parts.tree, isPart: true }, guard: failing.guard })).toBeUndefined();
  expect(await guardCgroups({ ...parts, guard: undefined })).toBeUndefined();
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
    expect(await guardCgroups({ ...parts, tree: { ...parts.tree, children }, guard })).toBeDefined();
    const set = await held(() => true);
    expect(set?.known.includes("late.slice")).toBe(set?.shared.includes("late.slice"));
  },
);

test("under the guard a new container has no rule while the runtime may yet name it, and has one then", async () => {
  const clock = handMovedClock();
  const { guard, held } = guardWith();
  const { make, caught } = follow(undefined, guard, { clock });
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

test("what is there when it begins is caught at once, under the guard too: nobody knows for how long it has been there", async () => {
  const { caught } = follow(undefined, guardWith().guard, { clock: handMovedClock(), before: [`system.slice/docker-${ID}.scope`] });
  expect(await caught()).toEqual([`system.slice/docker-${ID}.scope`]);
});

test("a guard that cannot be put in holds nobody back: a new container has its rule at once, and the guard is tried again", async () => {
  const clock = handMovedClock();
  let isBroken = true;
  const { guard, held } = guardWith(() => {
    if (isBroken) throw new ImdsgateError("RULES_FAILED", "nft is broken");
  });
  const { make, caught } = follow(undefined, guard, { clock });
  expect(await passing(clock, CREEPING_MS, caught())).toEqual([]);
  make(`system.slice/docker-${ID}.scope`);
  expect(await passing(clock, CREEPING_MS, caught())).toEqual([`system.slice/docker-${ID}.scope`]);
  isBroken = false;
  const since = clock.now();
  await passing(
    clock,
    20,
    held(() => true),
  );
  expect(clock.now() - since).toBeLessThan(10_000);
});

test("a guard that somebody took out is put in again before a new container is left to it", async () => {
  let isThere = true;
  const { guard, sets } = guardWith(
    () => {
      isThere = true;
    },
    () => isThere,
  );
  const clock = handMovedClock();
  const { make, caught } = follow(undefined, guard, { clock, before: ["system.slice"] });
  expect(await passing(clock, CREEPING_MS, caught())).toEqual([]);
  const before = sets.length;
  isThere = false;
  make(`system.slice/docker-${ID}.scope`);
  while (sets.length === before) {
    clock.advance(CREEPING_MS);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(isThere).toBe(true);
});

test("a place that only the runtime's word has shown is guarded at once, and what is new there is left to the guard only then", async () => {
  const deep = "a.slice/a-b.slice/a-b-c.slice/a-b-c-d.slice";
  const clock = handMovedClock();
  const known: string[] = [];
  const { guard, held } = guardWith();
  const { caught, make } = follow(() => known, guard, { clock, before: [`${deep}/docker-${ID}.scope`] });
  expect(await passing(clock, CREEPING_MS, caught())).toEqual([]);
  await resting(clock);
  known.push(`${deep}/docker-${ID}.scope`);
  // what is no news for the guard
  make("docker");
  const since = clock.now();
  await passing(
    clock,
    1,
    held(({ shared }) => shared.includes(deep)),
  );
  expect(clock.now() - since).toBeLessThan(1_500);
  expect(await passing(clock, 1, caught())).toEqual(["docker", ...known]);
});

test("of very many places the well-known ones are guarded, and it is said that the others are not", () => {
  const { guard } = guardWith();
  const { parts, make } = follow();
  const plan = () => hostNetworkPlan({ ...parts, guard });
  make(`system.slice/docker-${ID}.scope`);
  expect(plan()).toMatchObject({ window: "none" });
  const many = Array.from({ length: 1_100 }, (_, index) => `app${index}.slice`);
  const tree = { ...parts.tree, children: (path: string) => (path === "" ? [...many, "system.slice"] : parts.tree.children(path)) };
  const crowded = hostNetworkPlan({ ...parts, tree, guard });
  expect(crowded).toMatchObject({ window: "short", capture: { caught: [`system.slice/docker-${ID}.scope`] } });
  expect(crowded.shared).toHaveLength(1_024);
});
