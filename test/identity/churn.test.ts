import fc from "fast-check";
import { expect, test } from "vitest";
import { createIdentity } from "../../src/identity/attestor.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const flush = () => new Promise<void>((resolve) => setImmediate(resolve));

const NAMES = ["a", "b", "c", "d"];
const ADDRESSES = ["172.17.0.2", "172.17.0.3", "172.17.0.4", "10.1.0.2", "10.1.0.3"];

const ACTS = ["run", "stop", "remove", "restart", "connect", "disconnect", "lose", "keep", "deliver", "tell", "cut", "minute"] as const;

type Act = { readonly act: string; readonly name: string; readonly other: number };

const anyAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constantFrom(...ACTS, "run", "run", "replace", "replace", "replace"),
  name: fc.constantFrom(...NAMES),
  other: fc.nat(9),
});

/** Does what makes sense at this moment; the rest is left out. Process numbers are few, so they come again. */
function actOn(fake: FakeRuntime, { act, name, other }: Act): void {
  const exists = fake.names().includes(name);
  const isRunning = exists && fake.isRunning(name);
  const pid = [500, 501, 502, 503].find((one) => fake.processTable.startTime(one) === undefined) ?? 504;
  if (act === "run" && !exists) fake.run({ name, networks: other % 2 ? ["bridge", "back"] : ["bridge"], pid });
  if (act === "stop" && isRunning) fake.stop(name);
  if (act === "remove" && exists && !isRunning) fake.remove(name);
  if (act === "restart" && exists && !isRunning) fake.start(name, { pid });
  if (act === "connect" && isRunning && !fake.networksOf(name).includes("back")) fake.connect(name, "back");
  if (act === "disconnect" && isRunning && fake.networksOf(name).includes("back")) fake.disconnect(name, "back");
  if (act === "replace" && isRunning) replace(fake, name, NAMES[other % NAMES.length] ?? name);
  if (act === "lose") fake.setEvents("lost");
  if (act === "keep") fake.setEvents("kept");
  if (act === "deliver") fake.setEvents("delivered");
  if (act === "tell") {
    const kept = fake.takeKept();
    fake.tellAgain(other % 2 ? kept.toReversed() : [...kept, ...kept]);
  }
  if (act === "cut") fake.cutEvents();
}

/** One ends and another begins with the same address and the same process number, before anybody has heard of either. */
function replace(fake: FakeRuntime, name: string, successor: string): void {
  const pid = fake.pidOf(name);
  fake.stop(name);
  fake.remove(name);
  if (!fake.names().includes(successor)) fake.run({ name: successor, pid });
}

function ownerOf(fake: FakeRuntime, address: string): string {
  return fake.names().find((name) => fake.isRunning(name) && fake.addressesOf(name).includes(address)) ?? "unlisted";
}

test("whatever is lost, late or told twice, an address speaks for its owner of this moment and for nobody else", async () => {
  let reuses = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyAct, { minLength: 5, maxLength: 40, size: "max" }), async (acts) => {
      const fake = createFakeRuntime();
      fake.createNetwork("back", ["10.1.0.0/16"]);
      const clock = handMovedClock();
      const { runtime, processTable } = fake;
      const identity = createIdentity({ runtime, processTable, clock, staticWorkloads: [], emit: () => {} });
      const end = new AbortController();
      const running = identity.run(end.signal);
      await flush();
      const seen = new Map<string, string>();
      for (const act of acts) {
        actOn(fake, act);
        if (act.act === "minute") clock.advance(60_000);
        // Sometimes everybody asks before anything of it has come through, in the manner that does not wait.
        const manner = act.other % 2 ? "now" : "hold";
        const said = await Promise.all(ADDRESSES.map((address) => identity.attest(address, manner)));
        for (const [index, address] of ADDRESSES.entries()) {
          const attestation = said[index];
          const owner = ownerOf(fake, address);
          const name =
            attestation?.kind === "known" ? attestation.workload.name : attestation?.kind === "starting" ? "starting" : "unlisted";
          expect(manner === "now" ? [owner, "starting"] : [owner]).toContain(name);
          if (owner !== "unlisted" && seen.has(address) && seen.get(address) !== owner) reuses += 1;
          if (owner !== "unlisted") seen.set(address, owner);
        }
      }
      end.abort();
      await running;
    }),
    { numRuns: 300, seed: 20_261_124 },
  );
  expect(reuses).toBeGreaterThan(300);
});
