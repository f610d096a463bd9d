import { describe, expect, test } from "vitest";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { from, identityOn, nameOf } from "../support/identity.ts";

describe("an address that several containers share is known", () => {
  test("as its owner where another container shares its network namespace", async () => {
    const fake = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    fake.run({ name: "sidecar", networks: [], networkMode: `container:${owner}` });
    // Some runtimes copy the owner's endpoints there.
    const { runtime } = fake;
    const { inspectContainer } = runtime;
    runtime.inspectContainer = async (id, signal) => {
      const inspected = await inspectContainer(id, signal);
      return (
        inspected && {
          ...inspected,
          networks: [{ name: "bridge", id: fake.networkIdOf("bridge"), mac: undefined, addresses: ["172.17.0.2"] }],
        }
      );
    };
    const { run, who } = identityOn(fake, [], { isAlike: () => true });
    await run();
    expect(await who("172.17.0.2")).toBe("owner");
  });

  test("not at all where a container with something else of its own shares the network namespace, until that one ends", async () => {
    const fake = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    fake.run({ name: "sidecar", networks: [], networkMode: `container:${owner}` });
    const { run, who, events } = identityOn(fake, [], { isAlike: () => false });
    await run();
    expect(await who("172.17.0.2")).toBe("doubled");
    expect(events.filter(({ kind }) => kind === "address-doubled")).toHaveLength(1);
    fake.setEvents("lost");
    fake.stop("sidecar");
    expect(await who("172.17.0.2")).toBe("owner");
  });

  test("never with a role of somebody else's: who joins the namespace is asked about before any event tells that it runs", async () => {
    const fake = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    const { run, identity, who, settled } = identityOn(fake, [], { isAlike: () => false });
    await run();
    fake.create({ name: "sidecar", networks: [], networkMode: `container:${owner}` });
    expect(await who("172.17.0.2")).toBe("owner");
    fake.beginStart("sidecar");
    const asked = identity.attest(from("172.17.0.2"), "now");
    expect(await settled(asked)).toBeUndefined();
    fake.setEvents("lost");
    fake.finishStart("sidecar");
    expect(nameOf(await asked)).toBe("doubled");
  });

  test("not while the runtime does not say whether one that was to join the namespace has done so", async () => {
    const fake = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    const sidecar = fake.create({ name: "sidecar", networks: [], networkMode: `container:${owner}` });
    const { run, identity, pass } = identityOn(fake, [], { isAlike: () => false });
    await run();
    fake.hang("inspectContainer", sidecar);
    const asked = identity.attest(from("172.17.0.2"), "hold");
    await pass(1_000);
    expect(nameOf(await asked)).toBe("runtime-silent");
    fake.release("inspectContainer", sidecar);
    expect(nameOf(await identity.attest(from("172.17.0.2"), "hold"))).toBe("owner");
  });
});
