import { describe, expect, test } from "vitest";
import { editListing, listingEditFor } from "../../src/gateway/listing.ts";

const META_DATA = ["latest", "meta-data"];
const denied = [["user-data"], ["meta-data", "tags", "instance"], ["meta-data", "public-keys"]];

function edited(segments: readonly string[], listing: string, hasRole = true): string | undefined {
  const edit = listingEditFor(segments, denied, hasRole);
  return edit && editListing(listing, edit);
}

describe("the listing of meta-data (L4)", () => {
  test("has iam/ in its place where the container has a role and the instance has none", () => {
    expect(edited(META_DATA, "ami-id\nhostname\ninstance-id")).toBe("ami-id\nhostname\niam/\ninstance-id");
  });
  test("has no iam/ where the container has no role", () => {
    expect(edited(META_DATA, "ami-id\niam/\nmac", false)).toBe("ami-id\nmac");
  });
  test("has iam/ last where everything stands before it", () => {
    expect(edited(META_DATA, "ami-id")).toBe("ami-id\niam/");
  });
  test("never lists identity-credentials/, nor what is denied (P4, P8)", () => {
    expect(edited(META_DATA, "ami-id\niam/\nidentity-credentials/\npublic-keys/\ntags/")).toBe("ami-id\niam/\ntags/");
  });
  test("keeps the state of the final newline", () => {
    expect(edited(META_DATA, "ami-id\niam/\n", false)).toBe("ami-id\n");
  });
  test("of no lines stays empty for a container without a role", () => {
    expect(edited(META_DATA, "", false)).toBe("");
  });
});

describe("another listing", () => {
  test("loses the denied lines, whatever the version and the case", () => {
    expect(edited(["2016-09-02"], "dynamic\nmeta-data\nuser-data")).toBe("dynamic\nmeta-data");
    expect(edited(["latest", "Meta-Data", "tags"], "instance/")).toBe("");
  });
  test("is not touched where nothing below it is denied", () => {
    expect(edited(["latest", "dynamic"], "instance-identity/")).toBeUndefined();
    expect(edited([], "1.0\nlatest")).toBeUndefined();
  });
});
