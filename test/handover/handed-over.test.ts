import { describe, expect, test } from "vitest";
import { type HandedOver, handoverDocument, parseHandoverDocument } from "../../src/handover/handed-over.ts";

const LEASE = {
  key: '["arn:aws:iam::111122223333:role/web","web"]',
  jitter: 0.5,
  lease: {
    roleArn: "arn:aws:iam::111122223333:role/web",
    sessionName: "web",
    sourceIdentity: undefined,
    accessKeyId: "ASIA0000000000000001",
    secretAccessKey: "secretAccessKeyOfTheTests",
    sessionToken: "sessionTokenOfTheTests",
    issuedAt: 1,
    expiresAt: 2,
  },
};
const HANDED: HandedOver = { leases: [LEASE], region: "eu-central-1", account: "111122223333" };

/** What the other end of a pipe reads. */
const read = (document: object) => parseHandoverDocument(JSON.parse(JSON.stringify(document)));

describe("the document of a hand-over", () => {
  test("is read as it was written", () => expect(read(handoverDocument(HANDED))).toEqual(HANDED));

  test("is read where the host's place was not known", () => {
    const unplaced = { leases: [], region: undefined, account: undefined };
    expect(read(handoverDocument(unplaced))).toEqual(unplaced);
  });

  test("says nothing of who may have what", () => {
    expect(Object.keys(handoverDocument(HANDED))).toEqual(["schema", "region", "account", "leases"]);
  });

  test("loses a lease that cannot be read, and no other", () => {
    expect(read({ ...handoverDocument(HANDED), leases: [null, { ...LEASE, key: 7 }, LEASE, "x"] })).toEqual(HANDED);
  });

  test("loses a place that is none", () => {
    const read2 = read({ ...handoverDocument(HANDED), region: "nowhere", account: "../1" });
    expect(read2).toEqual({ ...HANDED, region: undefined, account: undefined });
  });

  test.for<{ name: string; value: unknown }>([
    { name: "of another schema", value: { ...handoverDocument(HANDED), schema: 2 } },
    { name: "without a schema", value: { leases: [] } },
    { name: "whose schema is text", value: { ...handoverDocument(HANDED), schema: "1" } },
    { name: "without leases", value: { schema: 1 } },
    { name: "whose leases are no list", value: { schema: 1, leases: {} } },
    { name: "that is a list", value: [] },
    { name: "that is nothing", value: null },
    { name: "that is text", value: "leases" },
  ])("$name is none", ({ value }) => expect(parseHandoverDocument(value)).toBe(undefined));
});
