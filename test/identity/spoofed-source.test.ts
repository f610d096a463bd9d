import { describe, expect, test } from "vitest";
import { isUnderGuard, type SourceGuard, UNGUARDED } from "../../src/identity/source-guard.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { from, identityOn, nameOf } from "../support/identity.ts";

const ADDRESS = "172.17.0.2";
/** The fake runtime's clock stands at 0 here: under this guard an address is held since long ago. */
const HELD: SourceGuard = { heldSince: () => -60_000 };

describe("a neighbour who speaks from a container's address", () => {
  test.for([
    { guard: UNGUARDED, title: "is told by his socket where no guard holds the address", who: "spoofed" },
    { guard: HELD, title: "would be believed where the guard holds it, which lets him not through", who: "web" },
  ])("$title", async ({ guard, who }) => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { identity, paced } = identityOn(fake, [], { guard });
    fake.spoof(666);
    await paced(identity.attest(from(ADDRESS), "now"));
    expect(nameOf(await paced(identity.attest(from(ADDRESS, 666), "hold")))).toBe(who);
  });

  test("does not keep the container itself from being known", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, identity, who } = identityOn(fake);
    await run();
    fake.spoof(666);
    const spoofed = identity.attest(from(ADDRESS, 666), "now");
    expect(await who(ADDRESS)).toBe("web");
    expect(nameOf(await spoofed)).toBe("spoofed");
  });

  test("is refused also when the container ends while it is asked", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, identity, paced } = identityOn(fake);
    await run();
    fake.spoof(666);
    fake.stop("web");
    expect(nameOf(await paced(identity.attest(from(ADDRESS, 666), "now")))).toBe("unlisted");
  });

  test("makes an address that a static workload has as well one of two claimants", async () => {
    const fake = createFakeRuntime();
    fake.run({ name: "web" });
    const { run, identity, paced } = identityOn(fake, [{ name: "vm", address: ADDRESS }]);
    await run();
    fake.spoof(666);
    expect(nameOf(await paced(identity.attest(from(ADDRESS, 666), "now")))).toBe("doubled");
  });
});

test.for([
  { name: "long before", since: 0, acceptedAt: 5_000, isUnder: true },
  { name: "just before", since: 0, acceptedAt: 1_000, isUnder: true },
  { name: "so lately that it may have waited to be accepted", since: 0, acceptedAt: 999, isUnder: false },
  { name: "only after", since: 5_000, acceptedAt: 1_000, isUnder: false },
  { name: "never", since: undefined, acceptedAt: 5_000, isUnder: false },
])("a connection whose address the guard holds since $name is under it: $isUnder", ({ since, acceptedAt, isUnder }) => {
  expect(isUnderGuard({ heldSince: () => since }, "a", { address: ADDRESS, acceptedAt })).toBe(isUnder);
});
