import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leaseKey, leaseState, renewalAt } from "../../src/credentials/lease.ts";
import { grantOf, MINUTE } from "./scripted.ts";

function span(minutes: number) {
  return { issuedAt: 0, expiresAt: minutes * MINUTE };
}

function pace(minutes: number, jitter: number) {
  return { lifeMs: minutes * MINUTE, jitter };
}

describe("a lease of an hour", () => {
  test.for([
    { left: 60, jitter: 0, state: "fresh" },
    { left: 36.01, jitter: 0.999, state: "fresh" },
    { left: 35.9, jitter: 0.999, state: "due" },
    { left: 33.01, jitter: 0, state: "fresh" },
    { left: 33, jitter: 0, state: "due" },
    { left: 26, jitter: 0, state: "due" },
    { left: 25.99, jitter: 0, state: "short" },
    { left: 1 / 60, jitter: 0, state: "short" },
    { left: 0.999 / 60, jitter: 0, state: "expired" },
    { left: 0, jitter: 0, state: "expired" },
    { left: -600, jitter: 0, state: "expired" },
  ])("with $left minutes left and jitter $jitter is $state", ({ left, jitter, state }) => {
    expect(leaseState(span(60), (60 - left) * MINUTE, pace(60, jitter))).toBe(state);
  });
});

describe("a lease of another length", () => {
  test.for([
    { life: 15, left: 8.26, state: "fresh" },
    { life: 15, left: 8.25, state: "due" },
    { life: 15, left: 6.49, state: "short" },
    { life: 720, left: 33.1, state: "fresh" },
    { life: 720, left: 33, state: "due" },
    { life: 720, left: 25.9, state: "short" },
  ])("of $life minutes with $left left is $state", ({ life, left, state }) => {
    expect(leaseState(span(life), (life - left) * MINUTE, pace(life, 0))).toBe(state);
  });

  test("than was asked for is measured by what was asked for, but not in its first minute", () => {
    expect(leaseState(span(5), 0.9 * MINUTE, pace(60, 0))).toBe("fresh");
    expect(leaseState(span(5), MINUTE, pace(60, 0))).toBe("short");
    expect(leaseState(span(0.5), 0.6 * MINUTE, pace(60, 0))).toBe("expired");
  });
});

test("renewals of leases that began together are spread over three minutes", () => {
  const times = [0, 0.5, 0.999].map((jitter) => renewalAt(span(60), pace(60, jitter)) / MINUTE);
  expect(times).toEqual([27, 25.5, expect.closeTo(24.003)]);
});

describe("a lease's key", () => {
  const part = fc.constantFrom("a", "b", 'a","b', "null", '"', "[", ",");
  const grants = fc
    .record({
      roleName: part,
      sessionName: part,
      externalId: fc.option(part, { nil: undefined }),
      durationSeconds: fc.constantFrom(900, 3600),
    })
    .map(grantOf);

  test.for([{ roleName: "other" }, { sessionName: "other-1" }, { externalId: "other-id" }, { durationSeconds: 900 }])(
    "is another one for another %j (S7)",
    (part) => {
      expect(leaseKey(grantOf(part))).not.toBe(leaseKey(grantOf()));
    },
  );

  test("is the same for two grants only if STS is asked the same", () => {
    fc.assert(
      fc.property(grants, grants, (one, other) => {
        const asked = [one, other].map(({ role, sessionName, externalId, durationSeconds }) => ({
          arn: role.arn,
          sessionName,
          externalId,
          durationSeconds,
        }));
        const isSame = (["arn", "sessionName", "externalId", "durationSeconds"] as const).every(
          (field) => asked[0]?.[field] === asked[1]?.[field],
        );
        expect(leaseKey(one) === leaseKey(other)).toBe(isSame);
      }),
      { numRuns: 1_000 },
    );
  });

  test("does not depend on the binding that decided", () => {
    expect(leaseKey(grantOf({ binding: "default-role" }))).toBe(leaseKey(grantOf()));
  });
});
