import { describe, expect, test } from "vitest";
import { createPrefetch } from "../../src/credentials/prefetch.ts";
import type { Workload } from "../../src/identity/workload.ts";
import { grantOf, MINUTE, pass } from "./scripted.ts";
import { HOUR, slowDown, startLeases } from "./scripted-leases.ts";

const WEB: Workload = { kind: "container", name: "web", id: "web", image: "app", labels: {}, networks: [], addresses: [] };
const WEB_GRANT = grantOf({ sessionName: "web" });

/** A lease whose renewal began two seconds before its workload has been gone for five minutes, and has no answer yet. */
async function startWithCallUnderWay() {
  const started = startLeases();
  const { clock, leases, sts } = started;
  const prefetch = createPrefetch({ clock, leases, decide: ({ name }) => ({ kind: "grant", grant: grantOf({ sessionName: name }) }) });
  prefetch.seen(WEB);
  await pass(clock, 20.5 * MINUTE + 2_000);
  let asked = 0;
  const answerNow = slowDown(sts);
  const slow = sts.assumeRole;
  sts.assumeRole = (...call) => {
    asked += 1;
    return slow(...call);
  };
  prefetch.gone(WEB);
  await pass(clock, 5 * MINUTE - 1);
  expect([asked, leases.issuedAt(WEB_GRANT)]).toEqual([1, expect.any(Number)]);
  return { ...started, answerNow, asked: () => asked };
}

describe("the lease of a workload", () => {
  test("that a call is under way for ends with the five minutes too", async () => {
    const { clock, leases, answerNow, asked } = await startWithCallUnderWay();
    await pass(clock, 1);
    expect(leases.issuedAt(WEB_GRANT)).toBeUndefined();
    answerNow();
    await pass(clock, HOUR);
    expect([leases.issuedAt(WEB_GRANT), asked(), clock.untilNext()]).toEqual([undefined, 1, undefined]);
  });
});
