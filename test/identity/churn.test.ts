import fc from "fast-check";
import { expect, test } from "vitest";
import type { Attestation, AttestManner } from "../../src/identity/workload.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { from, identityOn } from "../support/identity.ts";

const NAMES = ["a", "b", "c", "d"];
const ADDRESSES = ["172.17.0.2", "172.17.0.3", "172.17.0.4", "10.1.0.2", "10.1.0.3"];

/** What can happen to the container `name`, where it makes sense at that moment. Process numbers are few, so they come again. */
const ACTS = {
  run: (fake: FakeRuntime, name: string, other: number) => {
    if (!fake.names().includes(name)) fake.run({ name, networks: other % 2 ? ["bridge", "back"] : ["bridge"], pid: freePid(fake) });
  },
  replace: (fake: FakeRuntime, name: string, other: number) => {
    if (isRunning(fake, name)) replace(fake, name, NAMES[other % NAMES.length] ?? name);
  },
  stop: (fake: FakeRuntime, name: string) => {
    if (isRunning(fake, name)) fake.stop(name);
  },
  remove: (fake: FakeRuntime, name: string) => {
    if (isIdle(fake, name)) fake.remove(name);
  },
  restart: (fake: FakeRuntime, name: string) => {
    if (isIdle(fake, name)) fake.start(name, { pid: freePid(fake) });
  },
  connect: (fake: FakeRuntime, name: string) => {
    if (isRunning(fake, name) && !fake.networksOf(name).includes("back")) fake.connect(name, "back");
  },
  disconnect: (fake: FakeRuntime, name: string) => {
    if (isRunning(fake, name) && fake.networksOf(name).includes("back")) fake.disconnect(name, "back");
  },
  lose: (fake: FakeRuntime) => fake.setEvents("lost"),
  keep: (fake: FakeRuntime) => fake.setEvents("kept"),
  deliver: (fake: FakeRuntime) => fake.setEvents("delivered"),
  tell: (fake: FakeRuntime, _: string, other: number) => {
    const kept = fake.takeKept();
    fake.tellAgain(other % 2 ? kept.toReversed() : [...kept, ...kept]);
  },
  cut: (fake: FakeRuntime) => fake.cutEvents(),
  wait: () => {},
};

const anyAct = fc.record({
  act: fc.constantFrom("run" as const, "run" as const, "replace" as const, "replace" as const, "replace" as const, ...keysOf(ACTS)),
  name: fc.constantFrom(...NAMES),
  other: fc.nat(9),
});

function keysOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  const keys: K[] = [];
  for (const key in table) keys.push(key);
  return keys;
}

const isRunning = (fake: FakeRuntime, name: string) => fake.names().includes(name) && fake.isRunning(name);
const isIdle = (fake: FakeRuntime, name: string) => fake.names().includes(name) && !fake.isRunning(name);
const freePid = (fake: FakeRuntime) => [500, 501, 502, 503].find((pid) => fake.processTable.startTime(pid) === undefined) ?? 504;

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

function nameOf(attestation: Attestation): string {
  if (attestation.kind === "known") return attestation.workload.name;
  return attestation.kind === "starting" ? "starting" : "unlisted";
}

/** Who may be named for `address` now. Who does not wait may hear that it is starting, as long as nobody has looked. */
const rightAnswers = (fake: FakeRuntime, address: string, manner: AttestManner) =>
  manner === "now" ? [ownerOf(fake, address), "starting"] : [ownerOf(fake, address)];

test("whatever is lost, late or told twice, an address speaks for its owner of this moment and for nobody else", async () => {
  let handovers = 0;
  const lifeOf = async (acts: readonly { act: keyof typeof ACTS; name: string; other: number }[]) => {
    const fake = createFakeRuntime();
    fake.createNetwork("back", ["10.1.0.0/16"]);
    const { run, end, identity, clock, paced } = identityOn(fake);
    await run();
    let owners = ADDRESSES.map((address) => ownerOf(fake, address));
    for (const { act, name, other } of acts) {
      ACTS[act](fake, name, other);
      if (act === "wait") clock.advance(60_000);
      // Everybody asks before anything of it has come through.
      const manner = other % 2 ? "now" : "hold";
      const asked = ADDRESSES.map(async (address) => ({ address, name: nameOf(await identity.attest(from(address), manner)) }));
      const said = await paced(Promise.all(asked));
      for (const answer of said) expect(rightAnswers(fake, answer.address, manner)).toContain(answer.name);
      const now = ADDRESSES.map((address) => ownerOf(fake, address));
      handovers += now.filter((owner, index) => ![owner, "unlisted"].includes(owners[index] ?? "") && owner !== "unlisted").length;
      owners = now;
    }
    end.abort();
  };
  const anyLife = fc.array(anyAct, { minLength: 5, maxLength: 40, size: "max" });
  await fc.assert(fc.asyncProperty(anyLife, lifeOf), { numRuns: 300, seed: 20_261_124 });
  expect(handovers).toBeGreaterThan(150);
});
