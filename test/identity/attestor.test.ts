import { describe, expect, test } from "vitest";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { DOUBLED, flush, from, identityOn, nameOf, UNLISTED } from "../support/identity.ts";

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
    const attested = await Promise.all(workload.addresses.map((address) => identity.attest(from(address), "now")));
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
    const held = identity.attest(from("172.17.0.2"), "hold");
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
    expect(await identity.attest(from("172.17.0.2"), "now")).toMatchObject({
      workload: { addresses: ["172.17.0.2", "172.18.0.2"], networks: ["bridge"] },
    });
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

describe("nobody", () => {
  test("an address that no network lists is unknown at once, in either manner", async () => {
    const { identity, run, paced } = identityOn(createFakeRuntime());
    await run();
    const addresses = ["172.17.0.9", "192.0.2.1", "fe80::1", "127.0.0.1"];
    const attested = await paced(Promise.all(addresses.map((address) => identity.attest(from(address), "hold"))));
    expect(attested).toEqual(Array(4).fill(UNLISTED));
  });

  test("is not remembered: a container that comes a moment later is known", async () => {
    const fake = createFakeRuntime();
    const { run, who, identity, paced } = identityOn(fake);
    await run();
    fake.setEvents("lost");
    fake.hang("inspectNetwork", fake.networkIdOf("bridge"));
    const early = [identity.attest(from("172.17.0.2"), "hold"), identity.attest(from("172.17.0.2"), "hold")];
    await flush();
    fake.run({ name: "web" });
    fake.release("inspectNetwork", fake.networkIdOf("bridge"));
    expect([(await paced(Promise.all(early))).map(nameOf), await who("172.17.0.2")]).toEqual([["web", "web"], "web"]);
  });

  test("a thousand requests from strangers cost two questions", async () => {
    const fake = createFakeRuntime();
    const { run, identity, paced } = identityOn(fake);
    await run();
    fake.takeCalls();
    const strangers = Array.from({ length: 1000 }, (_, n) => identity.attest(from(`172.17.${2 + (n >> 8)}.${n & 255}`), "now"));
    expect([new Set((await paced(Promise.all(strangers))).map(nameOf)), fake.takeCalls().length]).toEqual([new Set(["unlisted"]), 2]);
  });

  test("one stranger who asks all the time costs ten questions a second, and each verdict comes of a question asked later", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass, who } = identityOn(fake);
    await run();
    fake.takeCalls();
    for (let asked = 0; asked < 199; asked += 1) {
      void identity.attest(from("172.17.0.2"), "now");
      await pass(5);
    }
    expect(fake.takeCalls().length).toBe(10);
    fake.setEvents("lost");
    fake.run({ name: "web" });
    expect(await who("172.17.0.2", "hold")).toBe("web");
  });

  test("the list of networks is asked for ten times a second at most too", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass } = identityOn(fake);
    await run();
    fake.takeCalls();
    for (let asked = 0; asked < 199; asked += 1) {
      void identity.attest(from("192.0.2.1"), "now");
      await pass(5);
    }
    expect(fake.takeCalls().length).toBe(10);
  });

  test("a container whose image cannot be looked at has no identity: with a label too few it could get another role", async () => {
    const fake = createFakeRuntime();
    fake.removeImage("app:1");
    fake.run({ name: "web", labels: { role: "web" } });
    const { run, identity, pass, settled } = identityOn(fake);
    await run();
    const held = identity.attest(from("172.17.0.2"), "hold");
    await pass(5000);
    expect(await settled(held)).toBe("starting");
    fake.addImage("app:1", {});
    expect(await settled(identity.attest(from("172.17.0.2"), "hold"))).toBe("web");
  });
});

describe("who is listed", () => {
  test("a container that is starting and a static workload are, a stranger is not", async () => {
    const fake = createFakeRuntime();
    const { run, identity } = identityOn(fake, [{ name: "vm", address: "127.0.1.2" }]);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    await flush();
    expect(["172.17.0.2", "127.0.1.2", "172.17.0.3"].map(identity.isListed)).toEqual([true, true, false]);
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
    const attested = [await identity.attest(from("172.17.0.2"), "now"), await identity.attest(from("172.17.0.2"), "hold")];
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
    const held = identity.attest(from("172.17.0.2"), "hold");
    expect([await who("172.17.0.2"), await settled(held)]).toEqual(["starting", undefined]);
    fake.finishStart("two");
    expect(await settled(held)).toBe("doubled");
  });
});

describe("who wants to know", () => {
  test("is told of each workload that comes, changes and goes; host-network containers too, which ask from the host's address", async () => {
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
      "+ agent ",
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
