import { describe, expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createIdentity } from "../../src/identity/attestor.ts";
import type { Attestation, AttestManner, StaticWorkload } from "../../src/identity/workload.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const flush = () => new Promise<void>((resolve) => setImmediate(resolve));

const UNLISTED: Attestation = { kind: "unknown", reason: "unlisted" };
const DOUBLED: Attestation = { kind: "unknown", reason: "doubled" };
const SILENT: Attestation = { kind: "unknown", reason: "runtime-silent" };
const STARTING: Attestation = { kind: "starting" };

function identityOn(fake: FakeRuntime, staticWorkloads: readonly StaticWorkload[] = []) {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const { runtime, processTable } = fake;
  const identity = createIdentity({ runtime, processTable, clock, staticWorkloads, emit: (event) => void events.push(event) });
  const end = new AbortController();
  onTestFinished(() => end.abort());
  return {
    identity,
    clock,
    end,
    events,
    async run() {
      void identity.run(end.signal);
      await flush();
    },
    /** Moves the clock, and lets everything happen that falls due on the way. */
    async pass(ms: number) {
      await flush();
      let left = ms;
      for (let next = clock.untilNext(); next !== undefined && next <= left; next = clock.untilNext()) {
        clock.advance(next);
        left -= next;
        await flush();
      }
      clock.advance(left);
      await flush();
    },
    /** The name of who speaks from `address`, or why there is none. */
    async who(address: string, manner: AttestManner = "now") {
      return nameOf(await identity.attest(address, manner));
    },
    /** What is attested at once, without any time passing; undefined when it waits. */
    async settled(attesting: Promise<Attestation>) {
      let attestation: Attestation | undefined;
      void attesting.then((value) => {
        attestation = value;
      });
      await flush();
      return attestation && nameOf(attestation);
    },
    kinds: () => events.map(({ kind }) => kind),
  };
}

function nameOf(attestation: Attestation): string {
  if (attestation.kind === "known") return attestation.workload.name;
  return attestation.kind === "starting" ? "starting" : attestation.reason;
}

describe("a container is known", () => {
  test("with its facts, by every address of every network, IPv4 and IPv6", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("six", ["10.202.0.0/16", "fd88:77:1::/64"]);
    fake.addImage("shop/web:2", { role: "admin", vendor: "x" });
    const id = fake.run({ name: "web", image: "shop/web:2", networks: ["bridge", "six"], labels: { role: "web", vendor: "x" } });
    const { identity, run } = identityOn(fake);
    await run();
    const workload = {
      kind: "container",
      name: "web",
      id,
      image: "shop/web:2",
      labels: { role: "web" },
      networks: ["bridge", "six"],
      addresses: ["172.17.0.2", "10.202.0.2", "fd88:77:1::2"],
    };
    const attested = await Promise.all(workload.addresses.map((address) => identity.attest(address, "now")));
    expect(attested).toEqual(Array(3).fill({ kind: "known", workload }));
  });

  test("without a question to the runtime once it is learned", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who } = identityOn(fake);
    await run();
    fake.takeCalls();
    expect([await who("172.17.0.2"), await who("172.17.0.2", "hold"), fake.takeCalls()]).toEqual(["web", "web", []]);
  });

  test("when it started after the daemon, from its very first packet on", async () => {
    const fake = createFakeRuntime();
    const { run, identity, settled } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    await flush();
    const held = identity.attest("172.17.0.2", "hold");
    expect(await settled(held)).toBe(undefined);
    fake.finishStart("web");
    expect(await settled(held)).toBe("web");
  });

  test("when no event ever told of it", async () => {
    const fake = createFakeRuntime();
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.createNetwork("late", ["10.9.0.0/16"]);
    fake.run({ name: "web", networks: ["bridge", "late"] });
    expect([await who("10.9.0.2", "hold"), await who("172.17.0.2", "now")]).toEqual(["web", "web"]);
  });

  test("before the runtime was ever followed", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    expect(await identityOn(fake).who("172.17.0.2", "hold")).toBe("web");
  });

  test("by an address that only its network tells of, as a Swarm task's on docker_gwbridge", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("docker_gwbridge", ["172.18.0.0/16"], { isHidden: true });
    fake.run({ name: "task", networks: ["bridge", "docker_gwbridge"] });
    const { run, who, identity } = identityOn(fake);
    await run();
    expect(await who("172.18.0.2")).toBe("task");
    expect(await identity.attest("172.17.0.2", "now")).toMatchObject({
      workload: { addresses: ["172.17.0.2", "172.18.0.2"], networks: ["bridge"] },
    });
  });

  test("as its owner where another container shares its network namespace", async () => {
    const fake = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    fake.run({ name: "sidecar", networks: [], networkMode: `container:${owner}` });
    // Some runtimes copy the owner's endpoints there.
    const { runtime } = fake;
    const { inspectContainer } = runtime;
    runtime.inspectContainer = async (id, signal) => {
      const inspected = await inspectContainer(id, signal);
      return inspected && { ...inspected, networks: [{ name: "bridge", id: fake.networkIdOf("bridge"), addresses: ["172.17.0.2"] }] };
    };
    const { run, who } = identityOn(fake);
    await run();
    fake.processTable.ownedAddresses = () => new Set(["172.17.0.2"]);
    expect(await who("172.17.0.2")).toBe("owner");
  });

  test("by its new name after a rename", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who } = identityOn(fake);
    await run();
    fake.rename("web", "web-old");
    await flush();
    expect(await who("172.17.0.2")).toBe("web-old");
  });
});

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
    const { run, who, identity, settled } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.stop("old");
    fake.create({ name: "new" });
    fake.beginStart("new");
    expect(await who("172.17.0.2", "now")).toBe("starting");
    const held = identity.attest("172.17.0.2", "hold");
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
    const held = identity.attest("172.17.0.2", "hold");
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

describe("nobody", () => {
  test("an address that no network lists is unknown at once, in either manner", async () => {
    const { identity, run } = identityOn(createFakeRuntime());
    await run();
    const attested = await Promise.all(
      ["172.17.0.9", "192.0.2.1", "fe80::1", "127.0.0.1"].map((address) => identity.attest(address, "hold")),
    );
    expect(attested).toEqual(Array(4).fill(UNLISTED));
  });

  test("is not remembered: a container that comes a moment later is known", async () => {
    const fake = createFakeRuntime();
    const { run, who, identity } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.hang("inspectNetwork", fake.networkIdOf("bridge"));
    const early = [identity.attest("172.17.0.2", "hold"), identity.attest("172.17.0.2", "hold")];
    await flush();
    fake.run({ name: "web" });
    fake.release("inspectNetwork", fake.networkIdOf("bridge"));
    expect([(await Promise.all(early)).map(nameOf), await who("172.17.0.2")]).toEqual([["web", "web"], "web"]);
  });

  test("a thousand requests from strangers cost two questions", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake);
    await run();
    fake.takeCalls();
    const strangers = Array.from({ length: 1000 }, (_, n) => identity.attest(`172.17.${2 + (n >> 8)}.${n & 255}`, "now"));
    expect([new Set((await Promise.all(strangers)).map(nameOf)), fake.takeCalls().length]).toEqual([new Set(["unlisted"]), 2]);
  });

  test("a container whose image cannot be looked at has no identity: with a label too few it could get another role", async () => {
    const fake = createFakeRuntime();
    fake.removeImage("app:1");
    fake.run({ name: "web", labels: { role: "web" } });
    const { run, identity, pass, settled } = identityOn(fake);
    await run();
    const held = identity.attest("172.17.0.2", "hold");
    await pass(5000);
    expect(await settled(held)).toBe("starting");
    fake.addImage("app:1", {});
    expect(await settled(identity.attest("172.17.0.2", "hold"))).toBe("web");
  });
});

describe("a container that is starting", () => {
  test("is said to be starting after five seconds", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass, settled } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    const held = identity.attest("172.17.0.2", "hold");
    await pass(4999);
    expect(await settled(held)).toBe(undefined);
    await pass(1);
    expect(await held).toEqual(STARTING);
  });

  test("is said to be starting at once where nobody wants to wait", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    expect(await identity.attest("172.17.0.2", "now")).toEqual(STARTING);
  });

  test("and that nobody waits for is asked about all the same, so that the next one finds it", async () => {
    const fake = createFakeRuntime();
    const { run, who } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.run({ name: "web" });
    expect(await who("172.17.0.2", "now")).toBe("starting");
    await flush();
    expect(await who("172.17.0.2", "now")).toBe("web");
    fake.create({ name: "next" });
    fake.beginStart("next");
    fake.stop("web");
    expect([await who("172.17.0.3", "now"), await who("172.17.0.3", "now")]).toEqual(["starting", "starting"]);
    fake.finishStart("next");
    await flush();
    expect([await who("172.17.0.3", "now"), await who("172.17.0.2", "now")]).toEqual(["next", "unlisted"]);
  });

  test("does not keep others waiting", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, who, identity } = identityOn(fake);
    await run();
    fake.create({ name: "slow" });
    fake.beginStart("slow");
    void identity.attest("172.17.0.3", "hold");
    expect([await who("172.17.0.2", "hold"), await who("172.17.0.9", "hold")]).toEqual(["web", "unlisted"]);
  });

  test("is nobody when its start failed", async () => {
    const fake = createFakeRuntime();
    const { run, identity, settled, pass } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    const held = identity.attest("172.17.0.2", "hold");
    await flush();
    fake.finishStart("web");
    fake.stop("web");
    fake.remove("web");
    await pass(200);
    expect(await settled(held)).toBe("unlisted");
  });
});

describe("one address, two containers", () => {
  test("both are refused while both live, and it is said once", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("other", ["10.1.0.0/16"]);
    fake.run({ name: "one" });
    fake.run({ name: "two", networks: ["other"] });
    const { run, who, identity, events } = identityOn(fake);
    await run();
    fake.forceAddress("two", "other", "172.17.0.2");
    await flush();
    const attested = [await identity.attest("172.17.0.2", "now"), await identity.attest("172.17.0.2", "hold")];
    expect(attested).toEqual([DOUBLED, DOUBLED]);
    const claimants = ["one", "two"].map((name) => `${name} (${fake.idOf(name).slice(0, 12)})`);
    expect(events.filter(({ kind }) => kind === "address-doubled")).toEqual([
      { kind: "address-doubled", address: "172.17.0.2", claimants },
    ]);
    fake.stop("one");
    expect(await who("172.17.0.2")).toBe("two");
  });

  test("nobody is served while the second one is starting", async () => {
    const fake = createFakeRuntime();
    fake.createNetwork("other", ["10.1.0.0/16"]);
    fake.run({ name: "one" });
    const { run, who, identity, settled } = identityOn(fake);
    await run();
    fake.create({ name: "two", networks: ["other"] });
    fake.beginStart("two");
    fake.forceAddress("two", "other", "172.17.0.2");
    await flush();
    const held = identity.attest("172.17.0.2", "hold");
    expect([await who("172.17.0.2"), await settled(held)]).toEqual(["starting", undefined]);
    fake.finishStart("two");
    expect(await settled(held)).toBe("doubled");
  });
});

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
    expect([fake.takeCalls().length, await identity.attest("172.17.0.2", "hold")]).toEqual([11, SILENT]);
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
    const attesting = [identity.attest("172.17.0.2", "hold"), identity.attest("172.17.0.3", "now")];
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
    const held = identity.attest("172.17.0.2", "hold");
    await flush();
    expect(await who("172.17.0.3", "hold")).toBe("web");
    await pass(5000);
    expect(await settled(held)).toBe("starting");
  });
});

describe("a static workload", () => {
  const vm = { name: "vm", address: "127.0.1.2" };
  const workload = { kind: "static", name: "vm", id: undefined, image: undefined, labels: {}, networks: [], addresses: ["127.0.1.2"] };

  test("is known by configuration alone, also while the runtime is away", async () => {
    const fake = createFakeRuntime();
    fake.setDown(true);
    const { run, identity } = identityOn(fake, [vm]);
    await run();
    expect(await identity.attest("127.0.1.2", "hold")).toEqual({ kind: "known", workload });
  });

  test("needs no runtime", async () => {
    const { processTable } = createFakeRuntime();
    const identity = createIdentity({ runtime: undefined, processTable, clock: handMovedClock(), staticWorkloads: [vm], emit: () => {} });
    await identity.run(AbortSignal.abort());
    expect([await identity.attest("127.0.1.2", "now"), await identity.attest("127.0.1.3", "hold")]).toEqual([
      { kind: "known", workload },
      UNLISTED,
    ]);
  });

  test("is refused, as the container is, when a container has its address", async () => {
    const fake = createFakeRuntime();
    const { run, identity, events, who } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    expect(await who("172.17.0.2")).toBe("vm");
    fake.setEvents("lost");
    const id = fake.run({ name: "web" });
    expect([await identity.attest("172.17.0.2", "now"), await identity.attest("172.17.0.2", "hold")]).toEqual([DOUBLED, DOUBLED]);
    expect(events.slice(1, 2)).toEqual([{ kind: "address-doubled", address: "172.17.0.2", claimants: [id.slice(0, 12), "vm"] }]);
  });

  test("is refused when the runtime is asked and does not answer", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake, [{ name: "vm", address: "172.17.0.2" }]);
    await run();
    fake.setDown(true);
    expect(await identity.attest("172.17.0.2", "now")).toEqual(SILENT);
  });

  test("two of one address are refused", async () => {
    const { identity } = identityOn(createFakeRuntime(), [vm, { name: "jail", address: "127.0.1.2" }]);
    expect(await identity.attest("127.0.1.2", "now")).toEqual(DOUBLED);
  });
});

describe("who wants to know", () => {
  test("is told of each workload that comes, changes and goes; host-network containers have no address to ask from", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake, [{ name: "vm", address: "127.0.1.2" }]);
    const told: string[] = [];
    identity.onWorkload(({ name, addresses }) => void told.push(`+ ${name} ${addresses}`));
    identity.onGone(({ name }) => void told.push(`- ${name}`));
    fake.run({ name: "before" });
    fake.run({ name: "agent", networks: [], networkMode: "host" });
    await run();
    fake.run({ name: "web" });
    await flush();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    fake.connect("web", "back");
    await flush();
    fake.rename("web", "web2");
    await flush();
    fake.stop("web2");
    await flush();
    expect([...new Set(told)]).toEqual([
      "+ vm 127.0.1.2",
      "+ before 172.17.0.2",
      "+ web 172.17.0.3",
      "+ web 172.17.0.3,10.1.0.2",
      "- web",
      "+ web2 172.17.0.3,10.1.0.2",
      "- web2",
    ]);
  });

  test("hears nothing more after the end", async () => {
    const fake = createFakeRuntime();
    const { run, end, kinds, pass } = identityOn(fake);
    await run();
    end.abort();
    await flush();
    fake.run({ name: "web" });
    await pass(120_000);
    expect(kinds()).toEqual(["runtime-connected"]);
  });
});
