import { describe, expect, test } from "vitest";
import { BASE_REFUSED, eventsOf, grantOf, MINUTE, pass, THROTTLED } from "./scripted.ts";
import { startLeases } from "./scripted-leases.ts";

/** The names of the roles that STS was asked for, in order. */
function askedFor({ sts }: ReturnType<typeof startLeases>): readonly string[] {
  return sts.calls.map(({ request }) => request.roleArn.replace(/^.*\//, ""));
}

/** Leases of which the budget's fifty calls are spent, and `more` prefetches wait. */
async function startBusyLeases(more: number) {
  const parts = startLeases();
  for (let role = 0; role < 50; role += 1) parts.leases.prefetch(grantOf({ roleName: `early-${role}` }));
  await pass(parts.clock, 0);
  for (let role = 0; role < more; role += 1) parts.leases.prefetch(grantOf({ roleName: `late-${role}` }));
  await pass(parts.clock, 0);
  expect(parts.sts.calls).toHaveLength(50);
  return parts;
}

describe("a start with more workloads than the budget has calls", () => {
  test("what a request waits for goes before what is fetched ahead", async () => {
    const parts = await startBusyLeases(20);
    const asked = parts.leases.leaseFor(grantOf({ roleName: "asked" }));
    await pass(parts.clock, 200);
    expect(askedFor(parts).slice(50)).toEqual(["asked", "late-0"]);
    expect(await asked).toMatchObject({ kind: "lease" });
  });

  test("a request that joins what is fetched ahead makes it go first", async () => {
    const parts = await startBusyLeases(20);
    const asked = parts.leases.leaseFor(grantOf({ roleName: "late-19" }));
    await pass(parts.clock, 200);
    expect(askedFor(parts).slice(50)).toEqual(["late-19", "late-0"]);
    expect(await asked).toMatchObject({ kind: "lease" });
  });

  test("a request waits five seconds; its lease comes all the same", async () => {
    const parts = await startBusyLeases(0);
    const grants = Array.from({ length: 60 }, (_, role) => grantOf({ roleName: `asked-${role}` }));
    const outcomes = grants.map((grant) => parts.leases.leaseFor(grant));
    await pass(parts.clock, 5_000);
    const kinds = (await Promise.all(outcomes)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "lease")).toHaveLength(49);
    expect(kinds.filter((kind) => kind === "unavailable")).toHaveLength(11);
    await pass(parts.clock, 1_000);
    expect((await Promise.all(grants.map((grant) => parts.leases.leaseFor(grant)))).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 60 }, () => "lease"),
    );
    expect(parts.sts.calls).toHaveLength(110);
  });

  test("what is fetched ahead goes before what is only renewed early", async () => {
    const parts = startLeases({ isRunning: false });
    await parts.key(grantOf({ roleName: "old" }));
    await pass(parts.clock, 26 * MINUTE);
    for (let role = 0; role < 50; role += 1) parts.leases.prefetch(grantOf({ roleName: `early-${role}` }));
    await pass(parts.clock, 0);
    void parts.leases.leaseFor(grantOf({ roleName: "old" }));
    parts.leases.prefetch(grantOf({ roleName: "late" }));
    await pass(parts.clock, 200);
    expect(askedFor(parts).slice(51)).toEqual(["late", "old"]);
  });
});

describe("a call that was held back", () => {
  test("by the budget tells so", async () => {
    const { clock, events } = await startBusyLeases(1);
    await pass(clock, 100);
    expect(eventsOf(events, "sts-call").at(-1)).toMatchObject({ heldBy: "budget", heldMs: 100, durationMs: 0 });
  });

  test("by the pause before another try, and by the backoff after three, tells so", async () => {
    const { clock, sts, events, leases } = startLeases();
    sts.turns.push(THROTTLED, THROTTLED, THROTTLED);
    leases.prefetch(grantOf());
    await pass(clock, MINUTE);
    expect(eventsOf(events, "sts-call").map(({ outcome, heldBy, heldMs }) => ({ outcome, heldBy, heldMs }))).toEqual([
      { outcome: "throttled", heldBy: undefined, heldMs: 0 },
      { outcome: "throttled", heldBy: "retry", heldMs: 50 },
      { outcome: "throttled", heldBy: "retry", heldMs: 100 },
      { outcome: "ok", heldBy: "backoff", heldMs: 500 },
    ]);
  });
});

test("each call takes its turn: tries after a failure, and those with renewed keys", async () => {
  const parts = startLeases();
  parts.sts.always = BASE_REFUSED;
  for (let role = 0; role < 40; role += 1) parts.leases.prefetch(grantOf({ roleName: `role-${role}` }));
  await pass(parts.clock, 0);
  expect(parts.sts.calls).toHaveLength(50);
  parts.sts.always = THROTTLED;
  await pass(parts.clock, 1_000);
  expect(parts.sts.calls).toHaveLength(60);
});
