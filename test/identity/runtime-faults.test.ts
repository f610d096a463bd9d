import { describe, expect, test } from "vitest";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { flush, from, identityOn, SILENT, UNLISTED } from "../support/identity.ts";

describe("the stream of events", () => {
  test("told twice and in any order, they leave the truth", async () => {
    const fake = createFakeRuntime();
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("kept");
    fake.run({ name: "one" });
    fake.stop("one");
    fake.run({ name: "two" });
    fake.run({ name: "three" });
    const kept = fake.takeKept();
    fake.setEvents("delivered");
    fake.tellAgain([...kept.toReversed(), ...kept, ...kept.toReversed()]);
    await flush();
    fake.takeCalls();
    expect([await who("172.17.0.2"), await who("172.17.0.3"), fake.takeCalls()]).toEqual(["two", "three", []]);
  });

  test("cut, it is told once, opened again after a second and everything is listed anew", async () => {
    const fake = createFakeRuntime();
    const { run, pass, kinds, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.run({ name: "web" });
    fake.cutEvents();
    await flush();
    expect(kinds()).toEqual(["runtime-connected", "runtime-disconnected"]);
    await pass(1000);
    fake.takeCalls();
    expect([kinds().slice(2), await who("172.17.0.2"), fake.takeCalls()]).toEqual([["workload-seen", "runtime-connected"], "web", []]);
  });

  test("silent, it is made good by a full list each minute", async () => {
    const fake = createFakeRuntime();
    const { run, pass, kinds, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.run({ name: "web" });
    await pass(59_999);
    expect(kinds()).toEqual(["runtime-connected"]);
    await pass(1);
    fake.takeCalls();
    expect([kinds(), await who("172.17.0.2"), fake.takeCalls()]).toEqual([["runtime-connected", "workload-seen"], "web", []]);
    fake.stop("web");
    await pass(60_000);
    expect(kinds().slice(2)).toEqual(["workload-gone"]);
  });
});

describe("a runtime that does not answer", () => {
  test("absent at the start is said once, tried each second, and found when it comes", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    fake.setDown(true);
    const { run, pass, events, identity, who } = identityOn(fake);
    await run();
    await pass(10_000);
    expect(events).toEqual([{ kind: "runtime-disconnected", runtime: "docker", message: "the runtime is down" }]);
    expect([fake.takeCalls().length, await identity.attest(from("172.17.0.2"), "hold")]).toEqual([11, SILENT]);
    fake.setDown(false);
    await pass(1000);
    expect([events.slice(1).map(({ kind }) => kind), await who("172.17.0.2")]).toEqual([["workload-seen", "runtime-connected"], "web"]);
  });

  test("silent from the start is said after five seconds", async () => {
    const fake = createFakeRuntime();
    fake.hang("watchEvents");
    const { run, pass, kinds } = identityOn(fake);
    await run();
    await pass(4999);
    expect(kinds()).toEqual([]);
    await pass(1);
    expect(kinds()).toEqual(["runtime-disconnected"]);
  });

  test("gone or hanging, it changes nothing for the containers that are known", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who, pass } = identityOn(fake);
    await run();
    fake.setDown(true);
    await pass(90_000);
    expect([await who("172.17.0.2"), await who("172.17.0.2", "hold")]).toEqual(["web", "web"]);
    fake.killProcess(fake.pidOf("web"));
    expect(await who("172.17.0.2")).toBe("runtime-silent");
  });

  test("hanging for a second, it leaves a stranger unknown, and it is said once", async () => {
    const fake = createFakeRuntime();
    const { run, pass, settled, identity, events, who } = identityOn(fake);
    await run();
    fake.hang("inspectNetwork");
    const attesting = [identity.attest(from("172.17.0.2"), "hold"), identity.attest(from("172.17.0.3"), "now")];
    await pass(999);
    expect(await settled(attesting[0] ?? Promise.resolve(UNLISTED))).toBe(undefined);
    await pass(1);
    expect(await Promise.all(attesting)).toEqual([SILENT, SILENT]);
    expect(events.slice(1)).toEqual([{ kind: "runtime-slow", runtime: "docker", address: "172.17.0.2", waitedMs: 1000 }]);
    fake.release("inspectNetwork");
    fake.run({ name: "web" });
    expect(await who("172.17.0.2", "hold")).toBe("web");
  });

  test("hanging over one container, it keeps the others going", async () => {
    const fake = createFakeRuntime();
    const { run, pass, settled, identity, who } = identityOn(fake);
    await run();
    const stuck = fake.create({ name: "stuck" });
    fake.hang("inspectContainer", stuck);
    fake.start("stuck");
    fake.run({ name: "web" });
    const held = identity.attest(from("172.17.0.2"), "hold");
    await flush();
    expect(await who("172.17.0.3", "hold")).toBe("web");
    await pass(5000);
    expect(await settled(held)).toBe("starting");
  });
});

describe("a kernel that cannot be asked about processes", () => {
  test("keeps requests waiting, and costs no container its place", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, identity, kinds, pass, settled, who } = identityOn(fake);
    await run();
    fake.setUnreadable(true);
    const held = identity.attest(from("172.17.0.2"), "hold");
    await pass(4000);
    expect([await who("172.17.0.2"), await settled(held), identity.isListed("172.17.0.2")]).toEqual(["starting", undefined, true]);
    fake.setUnreadable(false);
    await pass(1000);
    expect([await settled(held), kinds().includes("workload-gone")]).toEqual(["web", false]);
  });

  test("does not let a static workload speak for a container's address", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    fake.setUnreadable(true);
    expect(await who("172.17.0.2")).toBe("doubled");
  });
});

test("a container that starts while the list waits for another one is told of at once", async () => {
  const fake = createFakeRuntime();
  const slow = fake.run({ name: "slow" });
  fake.hang("inspectContainer", slow);
  const { run, identity } = identityOn(fake);
  const told: string[] = [];
  identity.onWorkload(({ name }) => void told.push(name));
  await run();
  fake.run({ name: "web" });
  await flush();
  expect(told).toEqual(["web"]);
  fake.release("inspectContainer", slow);
  await flush();
  expect(told).toEqual(["web", "slow"]);
});
