import { expect, test } from "vitest";
import { grantOf, pass } from "./scripted.ts";
import { startFleet } from "./scripted-fleet.ts";

test("a workload that returns while the call for its dropped lease is under way is no second call at once", async () => {
  const { clock, leases, mostAtOnce, setOutage } = startFleet(1);
  const grant = grantOf({ sessionName: "web-0" });
  setOutage("hang");
  leases.prefetch(grant);
  await pass(clock, 1_000);
  leases.drop(grant);
  leases.prefetch(grant);
  await pass(clock, 1_000);
  expect(mostAtOnce()).toBe(1);
});
