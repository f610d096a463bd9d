import { describe, expect, test } from "vitest";
import { AUTHENTIC, isInCredentialTree, segmentsOf, VICTIM } from "../../src/sim/imds-path.ts";

const IAM_INFO = ["latest", "meta-data", "iam", "info"];

describe("the lenient victim reads every disguise of the credential tree", () => {
  test.for([
    { disguise: "escapes", target: "/latest/meta-data/%69am/info", switch: undefined },
    { disguise: "escaped escapes", target: "/latest/meta-data/%2569am/info", switch: "decodesRepeatedly" },
    { disguise: "an escaped question mark", target: "/latest/meta-data/iam/info%3Fx", switch: "decodesRepeatedly" },
    { disguise: "backslashes", target: "/latest/meta-data\\iam\\info", switch: "readsBackslashAsSlash" },
    { disguise: "path parameters", target: "/latest/meta-data/iam;x=1/info", switch: "dropsParameters" },
    { disguise: "dot segments", target: "/latest/meta-data/x/.././iam/info", switch: "resolvesDots" },
    { disguise: "repeated slashes", target: "//latest/meta-data//iam/info", switch: "mergesSlashes" },
    { disguise: "upper case", target: "/latest/Meta-Data/IAM/info", switch: "foldsCase" },
    { disguise: "a dotless i", target: "/latest/meta-data/%C4%B1am/info", switch: "foldsCase" },
    { disguise: "blanks", target: "/latest/meta-data/%20iam/info", switch: "trimsSegments" },
    { disguise: "a NUL", target: "/latest/meta-data/iam%00x/info", switch: "trimsSegments" },
    { disguise: "the absolute form", target: "http://example.com/latest/meta-data/iam/info", switch: "readsAbsoluteForm" },
    { disguise: "a missing slash", target: "latest/meta-data/iam/info", switch: "readsLooseHeads" },
  ])("$disguise", ({ target, switch: leniency }) => {
    expect(segmentsOf(target, VICTIM)).toEqual(IAM_INFO);
    if (leniency !== undefined) expect(segmentsOf(target, { ...VICTIM, [leniency]: false })).not.toEqual(IAM_INFO);
  });
});

describe("the authentic service reads", () => {
  test.for([
    {
      what: "repeated slashes, escapes and a query",
      target: "//latest//meta-data/ami%2Did?x=1",
      segments: ["latest", "meta-data", "ami-id"],
    },
    { what: "a trailing slash", target: "/latest/", segments: ["latest"] },
    { what: "the root", target: "/", segments: [] },
    { what: "the absolute form without a path", target: "http://169.254.169.254", segments: [] },
    { what: "dots and case as they stand", target: "/latest/../IAM", segments: ["latest", "..", "IAM"] },
  ])("$what", ({ target, segments }) => expect(segmentsOf(target, AUTHENTIC)).toEqual(segments));
});

describe("the credential tree", () => {
  test.for([
    { path: "latest/meta-data/iam", isInside: true },
    { path: "latest/meta-data/iamx", isInside: true },
    { path: "meta-data/iam/info", isInside: true },
    { path: "latest/dynamic/security-credentials-extended", isInside: true },
    { path: "latest/meta-data/identity-credentials/ec2", isInside: true },
    { path: "latest/meta-data/tags/instance/iam-team", isInside: false },
    { path: "latest/meta-data/ami-id", isInside: false },
  ])("of $path: $isInside", ({ path, isInside }) => expect(isInCredentialTree(path.split("/"))).toBe(isInside));
});
