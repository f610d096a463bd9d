import { describe, expect, test } from "vitest";
import { createHandedLeases, type HandedLease, parseHandedLease } from "../../src/credentials/handed-lease.ts";
import { type Lease, leaseKey } from "../../src/credentials/lease.ts";
import { newEntry } from "../../src/credentials/lease-entry.ts";
import type { Grant } from "../../src/policy/decide.ts";
import { grantOf, MINUTE } from "./scripted.ts";

const NOW = Date.UTC(2026, 10, 24, 2, 0, 0);

function handedFor(grant: Grant, over: Partial<Lease> = {}): HandedLease {
  const lease: Lease = {
    roleArn: grant.role.arn,
    sessionName: grant.sessionName,
    sourceIdentity: grant.sourceIdentity,
    accessKeyId: "ASIA0000000000000001",
    secretAccessKey: "secretAccessKeyOfTheTests",
    sessionToken: "sessionTokenOfTheTests",
    issuedAt: NOW - 10 * MINUTE,
    expiresAt: NOW + 50 * MINUTE,
    ...over,
  };
  return { key: leaseKey(grant), jitter: 0.25, lease };
}

describe("a lease from an earlier gateway", () => {
  test("is for the grant whose key it has, and once", () => {
    const handed = handedFor(grantOf());
    const leases = createHandedLeases([handedFor(grantOf({ roleName: "other" })), handed]);
    expect(leases.takeFor(newEntry(grantOf()), NOW)).toEqual(handed);
    expect(leases.takeFor(newEntry(grantOf()), NOW)).toBe(undefined);
  });

  test.for([
    { name: "has another role", grant: grantOf({ roleName: "other" }) },
    { name: "has another session name", grant: grantOf({ sessionName: "php-0123" }) },
    { name: "has a session policy", grant: grantOf({ policy: '{"Version":"2012-10-17","Statement":[]}' }) },
    { name: "has an external id", grant: grantOf({ externalId: "x" }) },
    { name: "lasts for another time", grant: grantOf({ durationSeconds: 900 }) },
    { name: "has tags", grant: grantOf({ tags: [{ key: "team", value: "a", isTransitive: false }] }) },
  ])("is not for a grant that $name", ({ grant }) => {
    expect(createHandedLeases([handedFor(grantOf())]).takeFor(newEntry(grant), NOW)).toBe(undefined);
  });

  test.for<{ name: string; over: Partial<Lease> }>([
    { name: "is over", over: { expiresAt: NOW } },
    { name: "lasts longer than was asked for", over: { expiresAt: NOW + 51 * MINUTE } },
    { name: "was issued in the future", over: { issuedAt: NOW + 1 } },
    { name: "says another role than its key", over: { roleArn: "arn:aws:iam::111122223333:role/admin" } },
    { name: "says another session than its key", over: { sessionName: "php" } },
    { name: "says another source identity than its key", over: { sourceIdentity: "php" } },
    { name: "has a malformed access key id", over: { accessKeyId: "ASIA1\n" } },
    { name: "has a malformed secret", over: { secretAccessKey: "" } },
    { name: "has a malformed session token", over: { sessionToken: "with a space in it, so none" } },
  ])("that $name is not served", ({ over }) => {
    expect(createHandedLeases([handedFor(grantOf(), over)]).takeFor(newEntry(grantOf()), NOW)).toBe(undefined);
  });

  test("that nobody has asked for can be forgotten", () => {
    const leases = createHandedLeases([handedFor(grantOf())]);
    leases.forget();
    expect(leases.takeFor(newEntry(grantOf()), NOW)).toBe(undefined);
  });
});

describe("a lease as it comes through a pipe", () => {
  const handed = handedFor(grantOf({ sourceIdentity: "web" }));
  const { lease } = handed;

  test("is what it was", () => expect(parseHandedLease(JSON.parse(JSON.stringify(handed)))).toEqual(handed));
  test("has no source identity where it had none", () =>
    expect(parseHandedLease(JSON.parse(JSON.stringify(handedFor(grantOf()))))).toEqual(handedFor(grantOf())));

  test.for<{ name: string; value: unknown }>([
    { name: "no object", value: "lease" },
    { name: "no lease", value: { key: "k", jitter: 0 } },
    { name: "a key that is no text", value: { ...handed, key: 1 } },
    { name: "a place in the spread that is none", value: { ...handed, jitter: 1 } },
    { name: "no place in the spread", value: { ...handed, jitter: undefined } },
    ...Object.keys(lease).map((name) => ({ name: `${name} of another kind`, value: { ...handed, lease: { ...lease, [name]: [] } } })),
  ])("with $name is none", ({ value }) => expect(parseHandedLease(value)).toBe(undefined));
});
