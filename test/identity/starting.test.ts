import { describe, expect, test } from "vitest";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { flush, from, identityOn, STARTING } from "../support/identity.ts";

describe("a container that is starting", () => {
  test("is said to be starting after five seconds", async () => {
    const fake = createFakeRuntime();
    const { run, identity, pass, settled } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    const held = identity.attest(from("172.17.0.2"), "hold");
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
    expect(await identity.attest(from("172.17.0.2"), "now")).toEqual(STARTING);
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
    void identity.attest(from("172.17.0.3"), "hold");
    expect([await who("172.17.0.2", "hold"), await who("172.17.0.9", "hold")]).toEqual(["web", "unlisted"]);
  });

  test("is nobody when its start failed", async () => {
    const fake = createFakeRuntime();
    const { run, identity, settled, pass } = identityOn(fake);
    await run();
    fake.create({ name: "web" });
    fake.beginStart("web");
    const held = identity.attest(from("172.17.0.2"), "hold");
    await flush();
    fake.finishStart("web");
    fake.stop("web");
    fake.remove("web");
    await pass(200);
    expect(await settled(held)).toBe("unlisted");
  });
});
