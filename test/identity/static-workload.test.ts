import { describe, expect, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { createIdentity } from "../../src/identity/attestor.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { DOUBLED, from, identityOn, PLAIN_IDENTITY, SILENT, UNLISTED } from "../support/identity.ts";

const NOT_PERMITTED = Object.assign(new Error("connect EACCES"), { code: "EACCES" });

describe("a static workload", () => {
  const vm = { name: "vm", address: "127.0.1.2" };
  const workload = { kind: "static", name: "vm", id: undefined, image: undefined, labels: {}, networks: [], addresses: ["127.0.1.2"] };

  test("is known by configuration alone, also while the runtime is away", async () => {
    const fake = createFakeRuntime();
    fake.setDown(true);
    const { run, identity } = identityOn(fake, [vm]);
    await run();
    expect(await identity.attest(from("127.0.1.2"), "hold")).toEqual({ kind: "known", workload });
  });

  test("needs no runtime", async () => {
    const { processTable } = createFakeRuntime();
    const identity = createIdentity({
      ...PLAIN_IDENTITY,
      runtime: undefined,
      processTable,
      clock: handMovedClock(),
      staticWorkloads: [vm],
      emit: () => {},
    });
    await identity.run(AbortSignal.abort());
    expect([await identity.attest(from("127.0.1.2"), "now"), await identity.attest(from("127.0.1.3"), "hold")]).toEqual([
      { kind: "known", workload },
      UNLISTED,
    ]);
  });

  test("is refused, as the container is, when a container has its address", async () => {
    const fake = createFakeRuntime();
    const { run, identity, events, who, paced } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    expect(await who("172.17.0.2")).toBe("vm");
    fake.setEvents("lost");
    const id = fake.run({ name: "web" });
    const attested = [await paced(identity.attest(from("172.17.0.2"), "now")), await identity.attest(from("172.17.0.2"), "hold")];
    expect(attested).toEqual([DOUBLED, DOUBLED]);
    expect(events.slice(1, 2)).toEqual([{ kind: "address-doubled", address: "172.17.0.2", claimants: [id.slice(0, 12), "vm"] }]);
  });

  test("is refused when the runtime is asked and does not answer", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    fake.setDown(true);
    expect(await identity.attest(from("172.17.0.2"), "now")).toEqual(SILENT);
  });

  test("is refused when a container came on a network of which no event ever told", async () => {
    const fake = createFakeRuntime();
    const { run, who } = identityOn(fake, [{ name: "vm", address: "10.7.0.2" }]);
    await run();
    fake.setEvents("lost");
    fake.createNetwork("late", ["10.7.0.0/16"]);
    fake.run({ name: "web", networks: ["late"] });
    expect(await who("10.7.0.2")).toBe("doubled");
  });

  test.for([
    { events: "told", afterMs: 0, title: "at once where an event tells of it" },
    { events: "lost", afterMs: 1000, title: "within a second where none does" },
  ] as const)("that was outside all networks is refused when one with a container of its address comes, $title", async (row) => {
    const fake = createFakeRuntime();
    const { run, who, pass } = identityOn(fake, [{ name: "vm", address: "10.7.0.2" }]);
    await run();
    expect([await who("10.7.0.2"), await who("10.7.0.2")]).toEqual(["vm", "vm"]);
    if (row.events === "lost") fake.setEvents("lost");
    fake.createNetwork("late", ["10.7.0.0/16"]);
    fake.run({ name: "web", networks: ["late"] });
    await pass(row.afterMs);
    expect(await who("10.7.0.2")).toBe("doubled");
  });

  test("outside all networks costs a question a second, however many ask", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass, settled } = identityOn(fake, [{ name: "vm", address: "10.7.0.2" }]);
    await run();
    fake.takeCalls();
    for (let second = 0; second < 3; second += 1) {
      const attesting = Array.from({ length: 100 }, () => identity.attest(from("10.7.0.2"), "now"));
      expect(new Set(await Promise.all(attesting.map(settled)))).toEqual(new Set(["vm"]));
      await pass(1000);
    }
    expect(fake.takeCalls()).toEqual(["listNetworks", "listNetworks", "listNetworks"]);
  });

  test("outside all networks waits a second at most for a runtime that hangs, and not again for the same question", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass, settled } = identityOn(fake, [{ name: "vm", address: "10.7.0.2" }]);
    await run();
    fake.hang("listNetworks");
    const first = identity.attest(from("10.7.0.2"), "now");
    await pass(999);
    expect(await settled(first)).toBe(undefined);
    await pass(1);
    expect([await settled(first), await settled(identity.attest(from("10.7.0.2"), "now"))]).toEqual(["vm", "vm"]);
  });

  test("is as one that is starting until everything was listed once: a container may have its address", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    fake.hang("listNetworks");
    const { run, identity, who, pass, settled } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    const inVain = identity.attest(from("172.17.0.2"), "hold");
    expect([await who("172.17.0.2"), await settled(inVain)]).toEqual(["starting", undefined]);
    await pass(4700);
    const held = identity.attest(from("172.17.0.2"), "hold");
    await pass(300);
    expect([await settled(inVain), await settled(held)]).toEqual(["starting", undefined]);
    fake.release("listNetworks");
    await pass(1000);
    expect([await settled(held), await who("172.17.0.2")]).toEqual(["doubled", "doubled"]);
  });

  test("waits no longer once the runtime turns out not to be there", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    fake.setDown(true);
    const { identity, run, who, settled } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    const early = identity.attest(from("172.17.0.2"), "hold");
    expect(await settled(early)).toBe(undefined);
    await run();
    expect([await settled(early), await who("172.17.0.2")]).toEqual(["vm", "vm"]);
  });

  test("is refused as soon as a runtime that was not there comes with a container of its address", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    fake.setDown(true);
    const { run, who, pass } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    expect(await who("172.17.0.2")).toBe("vm");
    fake.setDown(false);
    await pass(1000);
    expect(await who("172.17.0.2")).toBe("doubled");
  });

  test("waits for a runtime that is there and may not be asked", async () => {
    const fake = createFakeRuntime();
    fake.runtime.watchEvents = () => Promise.reject(new ImdsgateError("RUNTIME_UNAVAILABLE", "no permission", { cause: NOT_PERMITTED }));
    const { run, who } = identityOn(fake, [vm]);
    await run();
    expect(await who("127.0.1.2")).toBe("starting");
  });

  test("two of one address are refused", async () => {
    const { run, identity } = identityOn(createFakeRuntime(), [vm, { name: "jail", address: "127.0.1.2" }]);
    await run();
    expect(await identity.attest(from("127.0.1.2"), "now")).toEqual(DOUBLED);
  });
});
