import { describe, expect, test } from "vitest";
import type { ContainerCgroups } from "../../src/identity/container-cgroups.ts";
import { UNREADABLE } from "../../src/identity/process-table.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { flush, from, identityOn, nameOf, PLAIN_IDENTITY } from "../support/identity.ts";

const FOREIGN = "f".repeat(64);

/** The cgroups of a fake runtime's containers, as far as the test has put them there. */
function fakeCgroups(fake: FakeRuntime) {
  const names = new Map<string, string>();
  const noted: string[] = [];
  const forgotten: string[] = [];
  let standing: ReadonlyMap<string, string> = new Map();
  let areTold = true;
  let isBlind = false;
  const cgroups: ContainerCgroups = {
    note: (_, path) => void noted.push(path),
    forget: (id) => void forgotten.push(id),
    controller: "",
    isBlind: () => isBlind,
    standing: () => standing,
    processesIn(directory) {
      const name = names.get(directory);
      if (!areTold) return undefined;
      return name === undefined ? [] : [fake.pidOf(name)].filter((pid) => pid > 0);
    },
    close: () => {},
  };
  return {
    cgroups,
    noted,
    forgotten,
    /** The container has a cgroup, with its process in it. */
    stand(name: string): void {
      names.set(`docker/${name}`, name);
      standing = new Map([...standing, [fake.idOf(name), `docker/${name}`]]);
    },
    standForeign: (id: string): void => {
      standing = new Map([...standing, [id, `docker/${id}`]]);
    },
    setTold(told: boolean): void {
      areTold = told;
    },
    setBlind(): void {
      isBlind = true;
    },
  };
}

/** A running `owner` on 172.17.0.2, known; from then on no event comes. */
async function knownOwner(options: Parameters<typeof createFakeRuntime>[0] = {}) {
  const fake = createFakeRuntime(options);
  const { cgroups, ...tree } = fakeCgroups(fake);
  fake.createNetwork("hidden", ["10.5.0.0/24"], { isHidden: true });
  const owner = fake.run({ name: "owner" });
  const identity = identityOn(fake, [], { ...PLAIN_IDENTITY, cgroups });
  await identity.run();
  tree.stand("owner");
  fake.setEvents("lost");
  fake.takeCalls();
  return { fake, tree, owner, joining: { name: "joiner", networks: [], networkMode: `container:${owner}` }, ...identity };
}

describe("a container that no event has told of", () => {
  test("has not the role of the one whose network namespace it joined", async () => {
    const { fake, tree, joining, who } = await knownOwner();
    expect(await who("172.17.0.2")).toBe("owner");
    fake.run(joining);
    tree.stand("joiner");
    expect(await who("172.17.0.2")).toBe("doubled");
    fake.stop("joiner");
    expect(await who("172.17.0.2")).toBe("owner");
  });

  test("has it not while it is starting either, when its inspection waits", async () => {
    const { fake, tree, joining, identity, settled } = await knownOwner();
    fake.create(joining);
    fake.beginStart("joiner");
    tree.stand("joiner");
    const asked = identity.attest(from("172.17.0.2"), "now");
    expect(await settled(asked)).toBeUndefined();
    fake.finishStart("joiner");
    expect(nameOf(await asked)).toBe("doubled");
  });

  test("has it not at a second start, with another process", async () => {
    const { fake, tree, joining, who } = await knownOwner();
    fake.run(joining);
    tree.stand("joiner");
    expect(await who("172.17.0.2")).toBe("doubled");
    fake.stop("joiner");
    fake.start("joiner");
    expect(await who("172.17.0.2")).toBe("doubled");
  });

  test("has it not where its processes cannot be told", async () => {
    const { fake, tree, joining, who } = await knownOwner();
    tree.setTold(false);
    fake.run(joining);
    tree.stand("joiner");
    expect(await who("172.17.0.2")).toBe("doubled");
  });

  test("has it not where the owner is learned at that connection", async () => {
    const { fake, tree, who } = await knownOwner();
    const second = fake.run({ name: "second" });
    fake.run({ name: "joiner", networks: [], networkMode: `container:${second}` });
    for (const name of ["second", "joiner"]) tree.stand(name);
    expect(await who("172.17.0.3", "hold")).toBe("doubled");
  });

  test("has it not where the owner's address is learned at that connection", async () => {
    const { fake, tree, joining, who } = await knownOwner();
    fake.run(joining);
    tree.stand("joiner");
    fake.connect("owner", "hidden");
    expect(await who("10.5.0.2")).toBe("doubled");
  });

  test("nor where the runtime does not say whom it joined", async () => {
    const { fake, tree, joining, identity, pass } = await knownOwner();
    const joiner = fake.create(joining);
    fake.start("joiner");
    tree.stand("joiner");
    fake.hang("namespaceOwner", joiner);
    const asked = identity.attest(from("172.17.0.2"), "hold");
    await pass(1_000);
    expect(nameOf(await asked)).toBe("runtime-silent");
    fake.release("namespaceOwner", joiner);
    expect(nameOf(await identity.attest(from("172.17.0.2"), "hold"))).toBe("doubled");
  });

  test("delays nobody whose address none of its processes has, and is asked about once", async () => {
    const { fake, tree, identity, settled } = await knownOwner();
    fake.run({ name: "apart" });
    tree.stand("apart");
    fake.hang("namespaceOwner");
    expect(await settled(identity.attest(from("172.17.0.2"), "now"))).toBe("owner");
    expect(await settled(identity.attest(from("172.17.0.2"), "now"))).toBe("owner");
    fake.release("namespaceOwner");
    await flush();
    expect(await settled(identity.attest(from("172.17.0.2"), "now"))).toBe("owner");
    expect(fake.takeCalls()).toEqual([`namespaceOwner ${fake.idOf("apart")}`]);
  });

  test("is asked about once also where it is none of the runtime's, or its processes cannot be told", async () => {
    const { fake, tree, who } = await knownOwner();
    tree.setTold(false);
    tree.standForeign(FOREIGN);
    fake.create({ name: "apart" });
    tree.stand("apart");
    expect([await who("172.17.0.2"), await who("172.17.0.2")]).toEqual(["owner", "owner"]);
    expect(fake.takeCalls()).toEqual([`namespaceOwner ${FOREIGN}`, `namespaceOwner ${fake.idOf("apart")}`]);
  });
});

describe("where a container may have no cgroup of its own, one that no event has told of", () => {
  test("has not the role of the one whose network namespace it joined, which is asked at each connection", async () => {
    const { fake, owner, joining, who } = await knownOwner({ haveAllCgroups: false });
    expect(await who("172.17.0.2")).toBe("owner");
    expect(fake.takeCalls()).toEqual([`listJoiners ${owner}`]);
    fake.run(joining);
    expect(await who("172.17.0.2")).toBe("doubled");
    fake.stop("joiner");
    expect(await who("172.17.0.2")).toBe("owner");
  });

  test("has it not where cgroups cannot be seen from here", async () => {
    const { fake, tree, joining, who } = await knownOwner();
    tree.setBlind();
    fake.run(joining);
    expect(await who("172.17.0.2")).toBe("doubled");
  });

  test("has it not while it is starting either, when its inspection waits", async () => {
    const { fake, joining, identity, settled } = await knownOwner({ haveAllCgroups: false });
    fake.create(joining);
    fake.beginStart("joiner");
    const asked = identity.attest(from("172.17.0.2"), "now");
    expect(await settled(asked)).toBeUndefined();
    fake.finishStart("joiner");
    expect(nameOf(await asked)).toBe("doubled");
  });

  test("nor where the runtime does not say who joined", async () => {
    const { fake, owner, joining, identity, pass } = await knownOwner({ haveAllCgroups: false });
    fake.run(joining);
    fake.hang("listJoiners", owner);
    const asked = identity.attest(from("172.17.0.2"), "hold");
    await pass(1_000);
    expect(nameOf(await asked)).toBe("runtime-silent");
    fake.release("listJoiners", owner);
    expect(nameOf(await identity.attest(from("172.17.0.2"), "hold"))).toBe("doubled");
  });
});

test("a joiner whose process cannot be read counts as one that is not known", async () => {
  const { fake, tree, joining, identity, who } = await knownOwner();
  fake.run(joining);
  tree.stand("joiner");
  const { processTable } = fake;
  const { startTime } = processTable;
  processTable.startTime = (pid) => (pid === fake.pidOf("joiner") ? UNREADABLE : startTime(pid));
  expect(nameOf(await identity.attest(from("172.17.0.2"), "now"))).toBe("runtime-silent");
  processTable.startTime = startTime;
  expect(await who("172.17.0.2")).toBe("doubled");
});

test("what has been told of by an event is not asked about again when its cgroup appears", async () => {
  const { fake, tree, who } = await knownOwner();
  fake.setEvents("delivered");
  fake.create({ name: "apart" });
  await flush();
  fake.takeCalls();
  fake.beginStart("apart");
  tree.setTold(false);
  tree.stand("apart");
  expect(await who("172.17.0.2")).toBe("owner");
  expect(fake.takeCalls().filter((call) => call.startsWith("namespaceOwner"))).toEqual([]);
});

test("before everything was listed nobody is served where more than a few are not known", async () => {
  const fake = createFakeRuntime();
  const { cgroups, standForeign } = fakeCgroups(fake);
  fake.run({ name: "owner" });
  for (let number = 0; number < 40; number += 1) standForeign(`${number}`.padEnd(64, "0"));
  const { run, identity, settled } = identityOn(fake, [], { ...PLAIN_IDENTITY, cgroups });
  fake.hang("listContainers");
  await run();
  expect(nameOf(await identity.attest(from("172.17.0.2"), "now"))).toBe("starting");
  const held = identity.attest(from("172.17.0.2"), "hold");
  expect(await settled(held)).toBeUndefined();
  fake.release("listContainers");
  expect(nameOf(await held)).toBe("owner");
});

test("the cgroup of each container that is learned is noted", async () => {
  const fake = createFakeRuntime();
  const { cgroups, noted, forgotten } = fakeCgroups(fake);
  fake.run({ name: "owner" });
  fake.setCgroup("owner", "pods/one/owner");
  const { run } = identityOn(fake, [], { ...PLAIN_IDENTITY, cgroups });
  await run();
  expect(noted).toEqual(["pods/one/owner"]);
  fake.stop("owner");
  await flush();
  expect(forgotten).toEqual([fake.idOf("owner")]);
});

test("one whose cgroup cannot be read is noted to be nowhere", async () => {
  const fake = createFakeRuntime();
  const { cgroups, noted } = fakeCgroups(fake);
  fake.run({ name: "owner" });
  const { processTable } = fake;
  processTable.cgroup = () => UNREADABLE;
  const { run } = identityOn(fake, [], { ...PLAIN_IDENTITY, cgroups });
  await run();
  expect(noted).toEqual([""]);
});
