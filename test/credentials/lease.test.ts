import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leaseKey, leaseState, renewalAt } from "../../src/credentials/lease.ts";
import type { Grant } from "../../src/policy/decide.ts";
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
  const maybe = fc.option(part, { nil: undefined });
  const tag = fc.record({ key: fc.constantFrom("a", "b", "c"), value: part, isTransitive: fc.boolean() });
  const facts = fc.record({
    roleName: part,
    sessionName: part,
    externalId: maybe,
    sourceIdentity: maybe,
    tags: fc.uniqueArray(tag, { selector: ({ key }) => key, maxLength: 3 }),
    policy: maybe,
    policyArns: fc.uniqueArray(part, { maxLength: 2 }),
    durationSeconds: fc.constantFrom(900, 3600),
  });
  const TEAM = { key: "team", value: "blue", isTransitive: false };

  /** What STS is asked, written down in one way whatever the order in which it was given. */
  function asked(grant: Grant): unknown {
    const { binding: _, tags, policyArns, ...rest } = grant;
    return { ...rest, tags: new Map(tags.map(({ key, ...other }) => [key, other])), policyArns: new Set(policyArns) };
  }

  test.for([
    { one: {}, other: { roleName: "other" } },
    { one: {}, other: { sessionName: "other-1" } },
    { one: {}, other: { externalId: "other-id" } },
    { one: {}, other: { durationSeconds: 900 } },
    { one: {}, other: { sourceIdentity: "somebody" } },
    { one: { sourceIdentity: "somebody" }, other: { sourceIdentity: "another" } },
    { one: {}, other: { tags: [TEAM] } },
    { one: { tags: [TEAM] }, other: { tags: [{ ...TEAM, key: "Team" }] } },
    { one: { tags: [TEAM] }, other: { tags: [{ ...TEAM, value: "red" }] } },
    { one: { tags: [TEAM] }, other: { tags: [{ ...TEAM, isTransitive: true }] } },
    { one: {}, other: { policy: "{}" } },
    { one: { policy: "{}" }, other: { policy: '{"a":1}' } },
    { one: {}, other: { policyArns: ["arn:aws:iam::aws:policy/a"] } },
    { one: { policyArns: ["arn:aws:iam::aws:policy/a"] }, other: { policyArns: ["arn:aws:iam::aws:policy/b"] } },
  ])("is another one for $other than for $one (S7)", ({ one, other }) => {
    expect(leaseKey(grantOf(other))).not.toBe(leaseKey(grantOf(one)));
  });

  test("is the same for two grants only if STS is asked the same, in every part but one by chance", () => {
    const changed = fc.tuple(
      facts,
      facts,
      fc.subarray(["roleName", "sessionName", "externalId", "sourceIdentity", "tags", "policy", "policyArns", "durationSeconds"] as const, {
        maxLength: 2,
      }),
    );
    fc.assert(
      fc.property(changed, ([one, other, keys]) => {
        const twin = { ...one, ...Object.fromEntries(keys.map((key) => [key, other[key]])) };
        const [a, b] = [grantOf(one), grantOf(twin)];
        expect(leaseKey(a) === leaseKey(b)).toBe(isDeepStrictEqual(asked(a), asked(b)));
      }),
      { numRuns: 3_000 },
    );
  });

  test("does not depend on the order of tags and policies", () => {
    fc.assert(
      fc.property(facts, (one) => {
        const turned = { ...one, tags: one.tags.toReversed(), policyArns: one.policyArns.toReversed() };
        expect(leaseKey(grantOf(turned))).toBe(leaseKey(grantOf(one)));
      }),
    );
  });

  test("does not depend on the binding that decided", () => {
    expect(leaseKey(grantOf({ binding: "default-role" }))).toBe(leaseKey(grantOf()));
  });
});
