import { describe, expect, test } from "vitest";
import { MINUTE } from "../scripted.ts";
import type { Fault } from "./fault.ts";
import { FAULTS } from "./fault-rows.ts";
import { type FaultScene, type Got, startFaultScene } from "./fault-scene.ts";

/** Half of the first step (docs/contract.md, N2), and how long a denial is remembered (S11). */
const BACKOFF_MS = 500;
const DENIAL_MS = 60_000;
/** With the chance of these tests (N2). */
const DUE_MS = 34.5 * MINUTE;

describe.for(FAULTS)("$title ($rule)", (fault) => {
  test(`without a valid lease: ${fault.without}`, async () => {
    const scene = await startFaultScene(fault, { begins: "at once" });
    const { got } = await scene.askAndWait();
    await scene.flight(fault.outcomes, fault.takesMs, 0);
    const first = kindOf(await got);
    const second = kindOf(await scene.ask());
    expect(first === second ? first : `${first}, then ${second}`).toBe(fault.without);
    expect(scene.outcomes()).toEqual(fault.outcomes);
    await expectNextCall(scene, fault, await scene.ask());
  });

  test("with a valid lease: that lease, until there is a better one", async () => {
    const scene = await startFaultScene(fault, { begins: "later" });
    await scene.flight(["ok"], [], 0);
    await scene.otherIsKnown();
    const held = await scene.ask();
    const heldByOther = await scene.askOther();
    expect([kindOf(held), kindOf(heldByOther)]).toEqual(["the lease", "the lease"]);

    scene.begin();
    const flown = scene.flight(fault.outcomes, fault.takesMs);
    scene.clock.advance(expirationIn(held) - DUE_MS - scene.clock.now());
    await flown;
    const served = await scene.ask();
    if (fault.outcomes.at(-1) === "ok") expect([kindOf(served), served.body === held.body]).toEqual(["the lease", false]);
    else expect(served).toEqual(held);
    expect(await scene.askOther()).toEqual(heldByOther);
    expect(scene.outcomes()).toEqual(["ok", ...fault.outcomes]);
    expect(scene.otherOutcomes()).toEqual(["ok"]);
    await expectNextCall(scene, fault, served);
  });
});

/** STS is well again: it is asked when the row says so and not a millisecond before, and the container has new keys. */
async function expectNextCall(scene: FaultScene, fault: Fault, last: Got): Promise<void> {
  const { outcomes, begun } = scene;
  const [told, calls] = [outcomes(), begun()];
  scene.end();
  const inMs = nextIn(fault, last, scene.clock.now());
  scene.clock.advance(inMs - 1);
  expect(kindOf(await scene.ask())).toBe(kindOf(last));
  expect([outcomes(), begun()]).toEqual([told, calls]);

  // After a denial, and without a lease, it is the next request that asks.
  const flown = scene.flight(["ok"]);
  scene.clock.advance(1);
  const asked = kindOf(last) === "the error document" ? scene.ask() : undefined;
  await flown;
  const got = await (asked ?? scene.ask());
  expect([kindOf(got), got.body === last.body]).toEqual(["the lease", false]);
  expect([outcomes(), begun()]).toEqual([
    [...told, "ok"],
    [...calls, scene.clock.now()],
  ]);
}

function nextIn({ next }: Fault, last: Got, now: number): number {
  if (next === "backoff") return BACKOFF_MS;
  return next === "denial" ? DENIAL_MS : expirationIn(last) - DUE_MS - now;
}

function kindOf({ status, body }: Got): string {
  if (status !== 200) return body === "" ? `${status}` : `${status} ${body}`;
  if (/"Code" : "Success"/.test(body)) return "the lease";
  return /"Code" : "AssumeRoleUnauthorizedAccess"/.test(body) ? "the error document" : body;
}

function expirationIn({ body }: Got): number {
  return Date.parse(/"Expiration" : "([^"]+)"/.exec(body)?.[1] ?? "");
}
