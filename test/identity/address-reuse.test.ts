import { describe, expect, test } from "vitest";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { flush, from, identityOn } from "../support/identity.ts";

describe("an address that goes on to another container", () => {
  test("with late events, the new one never sees the old one's identity", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "old" });
    const { run, who } = identityOn(fake);
    await run();
    expect(await who("172.17.0.2")).toBe("old");
    fake.setEvents("kept");
    fake.stop("old");
    fake.run({ name: "new" });
    expect(fake.addressesOf("new")).toEqual(["172.17.0.2"]);
    expect([await who("172.17.0.2"), await who("172.17.0.2", "hold")]).toEqual(["starting", "new"]);
    fake.tellAgain(fake.takeKept());
    fake.setEvents("delivered");
    await flush();
    expect(await who("172.17.0.2")).toBe("new");
  });

  test("while the new one is starting, it is neither the old one nor nobody", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "old" });
    const { run, who, identity, pass, settled } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.stop("old");
    fake.create({ name: "new" });
    fake.beginStart("new");
    expect(await who("172.17.0.2", "now")).toBe("starting");
    const held = identity.attest(from("172.17.0.2"), "hold");
    await pass(100);
    expect(await settled(held)).toBe(undefined);
    fake.finishStart("new");
    expect(await settled(held)).toBe("new");
  });

  test("when the first one is disconnected from the network and runs on", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    fake.run({ name: "old", networks: ["bridge", "back"] });
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.disconnect("old", "back");
    expect(await who("10.1.0.2")).toBe("unlisted");
    fake.run({ name: "new", networks: ["back"] });
    expect([fake.addressesOf("new"), await who("10.1.0.2", "hold"), await who("172.17.0.2")]).toEqual([["10.1.0.2"], "new", "old"]);
  });

  test("when the kernel gives its process number away too", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "old", pid: 4242 });
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.stop("old");
    fake.run({ name: "new", pid: 4242 });
    expect([fake.addressesOf("new"), await who("172.17.0.2", "hold")]).toEqual([["172.17.0.2"], "new"]);
  });

  test("when the number went to another container between the runtime's answer and the look at the kernel", async () => {
    const fake = createFakeRuntime();
    const id = fake.run({ name: "old", pid: 4242 });
    const { who, identity, settled } = identityOn(fake);
    fake.hang("inspectContainer", id);
    const held = identity.attest(from("172.17.0.2"), "hold");
    expect(await settled(held)).toBe(undefined);
    const { runtime } = fake;
    const stale = runtime.inspectContainer;
    let inspections = 0;
    // The first answer was written before the old one ended, and arrives after the new one has begun.
    runtime.inspectContainer = async (asked, signal) => {
      const answer = await stale(asked, signal);
      if (asked === id && inspections++ === 0) {
        fake.stop("old");
        fake.run({ name: "new", pid: 4242 });
      }
      return answer;
    };
    fake.release("inspectContainer", id);
    await flush();
    expect([await who("172.17.0.2", "hold"), fake.pidOf("new")]).toEqual(["new", 4242]);
  });

  test("a restart is a new start with the same name", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who, kinds } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.stop("web");
    fake.start("web");
    expect([await who("172.17.0.2", "hold"), kinds()]).toEqual([
      "web",
      ["workload-seen", "runtime-connected", "workload-gone", "workload-seen"],
    ]);
  });

  test("a late end of the old one does not take the identity of the new one", async () => {
    const fake = createFakeRuntime();
    const old = fake.run({ name: "old" });
    const { run, who } = identityOn(fake);
    await run();
    fake.stop("old");
    fake.run({ name: "new" });
    await flush();
    fake.tellAgain([
      { kind: "died", containerId: old },
      { kind: "disconnected", containerId: old, networkId: fake.networkIdOf("bridge") },
    ]);
    expect(await who("172.17.0.2")).toBe("new");
  });
});

describe("networks that change while a container runs", () => {
  test("a second network's address is known at once", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    fake.run({ name: "web" });
    const { run, who } = identityOn(fake);
    await run();
    fake.connect("web", "back");
    expect(await who("10.1.0.2")).toBe("web");
    await flush();
    expect([await who("10.1.0.2"), await who("172.17.0.2")]).toEqual(["web", "web"]);
  });

  test("an address it has no more is nobody's, though no event told of it", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    fake.run({ name: "web", networks: ["bridge", "back"] });
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.disconnect("web", "back");
    expect([await who("10.1.0.2", "hold"), await who("172.17.0.2")]).toEqual(["unlisted", "web"]);
  });

  test("a network made anew with the same subnet is found under its new id", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.removeNetwork("back");
    fake.createNetwork("back", ["10.1.0.0/16"]);
    fake.run({ name: "web", networks: ["back"] });
    expect(await who("10.1.0.2", "hold")).toBe("web");
  });
});
