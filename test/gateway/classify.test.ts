import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classify, type RouteClass } from "../../src/gateway/classify.ts";

const cases: readonly { readonly rule: string; readonly class: RouteClass; readonly targets: readonly string[] }[] = [
  { rule: "V1", class: "PASS", targets: ["/", "/latest", "/latest/"] },
  { rule: "L4", class: "META_LIST", targets: ["/latest/meta-data", "/latest/meta-data/", "//latest//meta-data//?x"] },
  { rule: "P6", class: "PASS", targets: ["/latest/meta-data/instance-id", "/latest/meta-data/instance-id/", "/latest/meta-data/.../x"] },
  { rule: "C6", class: "PASS", targets: ["//latest//meta-data/ami-id", "/latest/meta-data/ami%2Did"] },
  { rule: "C3", class: "PASS", targets: ["/latest/user-data?x=1", "/latest/x?a=/../iam", "/latest/x?%zz;\\"] },
  { rule: "C8", class: "PASS", targets: ["/latest/meta-data/tags/instance/iam-team", "/latest/dynamic/iam"] },
  {
    rule: "C2",
    class: "PASS",
    targets: ["http://[fd00:ec2::254]:80/latest/meta-data/ami-id", "HTTP://169.254.169.254", "http://169.254.169.254?x"],
  },
  { rule: "T2", class: "TOKEN", targets: ["/latest/api/token", "/2021-03-23/api/token", "/latest/api/token/", "/api/token"] },
  {
    rule: "C8.4",
    class: "IAM_ROOT",
    targets: ["/latest/meta-data/iam", "/latest/meta-data/iam/", "http://169.254.169.254:80/1.0/meta-data/iam"],
  },
  {
    rule: "C8.4",
    class: "IAM_INFO",
    targets: ["/latest/meta-data/iam/info", "/latest/meta-data/iam/info/", "/latest/meta-data/iam/info?x", "/latest/meta-data/iam/info/y"],
  },
  {
    rule: "C8.4",
    class: "CRED_LIST",
    targets: [
      "/latest/meta-data/iam/security-credentials",
      "/latest/meta-data/iam/security-credentials/",
      "/latest/meta-data//iam//security-credentials/",
      "/latest/meta-data/%69am/security%2Dcredentials/",
      "/1.0/meta-data/iam/security-credentials/",
      "/nope/meta-data/iam/security-credentials/",
    ],
  },
  {
    rule: "C8.4",
    class: "CRED_DOC",
    targets: ["/latest/meta-data/iam/security-credentials/app-role", "/latest/meta-data/iam/security-credentials/app-role/x"],
  },
  {
    rule: "C8.2, C8.3",
    class: "GUARD",
    targets: [
      "/latest/meta-data/iam/security-credentials-extended/",
      "/latest/meta-data/iam/security-credentials-extended/app",
      "/latest/meta-data/iam/foo",
      "/latest/meta-data/iamx",
      "/latest/meta-data/iam-ecs-agent/",
      "/latest/meta-data/IAM/info",
      "/latest/Meta-Data/iam/info",
      "/latest/meta-data/iam/Security-Credentials/",
      "/latest/meta-data/iam/INFO",
      "/meta-data/iam/info",
      "/latest/x/meta-data/iam/info",
      "/latest/dynamic/security-credentials/x",
      "/latest/meta-data/iam/security-credentials/meta-data/iam",
    ],
  },
  {
    rule: "C8.1",
    class: "DENY",
    targets: [
      "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
      "/latest/meta-data/identity-credentials/ec2/info",
      "/x/Identity-Credentials-y",
    ],
  },
  {
    rule: "C4, C5, C6",
    class: "AMBIGUOUS",
    targets: [
      "/latest/meta-data/./iam/info",
      "/latest/meta-data/x/../iam/info",
      "/latest/%2e%2e/meta-data/iam",
      "/../latest/meta-data/ami-id",
      "/latest/meta-data%2Fiam/info",
      "/latest/meta-data/%2569am/info",
      "/latest/%5Ciam",
      "/latest/\\iam",
      "/latest/meta-data/iam;x=1/info",
      "/latest/meta-data/%20iam/info",
      "/latest/meta-data/iam%3Fx",
      "/latest/meta-data/iam%23",
      "/latest/meta-data/iam%3B",
    ],
  },
  {
    rule: "C1, C2, C5",
    class: "BAD",
    targets: [
      "/latest/meta-data/iam%00/info",
      "/iam%2",
      "/iam%zz",
      "/%C4%B1am",
      "/x%7f",
      "/x#y",
      "#x",
      "*",
      "",
      "latest/",
      "http://evil/latest/",
      "https://169.254.169.254/",
      "http://a@169.254.169.254/",
      "http://169.254.169.254:8080/",
      "http://169.254.169.254.evil/",
      "169.254.169.254:80",
      "/a b",
      "/\u0131am",
    ],
  },
];

describe("a raw target", () => {
  const rows = cases.flatMap(({ rule, class: wanted, targets }) => targets.map((target) => ({ rule, wanted, target })));
  test.for(rows)("$target is $wanted ($rule)", ({ target, wanted }) => {
    expect(classify(target, []).class).toBe(wanted);
  });

  test("names the role after decoding once", () => {
    expect(classify("/latest/meta-data/iam/security-credentials/app%2Brole", [])).toEqual({
      fate: "intercepted",
      class: "CRED_DOC",
      version: "latest",
      role: "app+role",
    });
  });

  test.for([
    { target: "/latest/user-data", class: "DENY" },
    { target: "/1.0/User-Data/x", class: "DENY" },
    { target: "/latest/user-data-x", class: "PASS" },
    { target: "/latest/meta-data/user-data", class: "PASS" },
    { target: "/latest/dynamic/instance-identity/document", class: "DENY" },
    { target: "/latest/dynamic/", class: "PASS" },
  ])("$target with user-data and dynamic/instance-identity denied is $class (C8.5)", ({ target, class: wanted }) => {
    expect(classify(target, [["user-data"], ["dynamic", "instance-identity"]]).class).toBe(wanted);
  });

  const pieces = fc.constantFrom(
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2F",
    "%25",
    "\\",
    ";",
    "?",
    "#",
    "iam",
    "IAM",
    "meta-data",
    "latest",
    "security-credentials",
    "%69",
    "x",
    "%00",
    "\u00e9",
  );
  test("never passes through when one more decoding, or resolving of dots, would lead into the IAM tree", () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const target = `/${parts.join("")}`;
        if (classify(target, []).fate !== "pass-through") return;
        expect(leniently(target)).not.toMatch(/\/meta-data\/(iam|identity-credentials)/);
      }),
      { numRuns: 5_000 },
    );
  });
});

/** The target as the most forgiving server would read it. */
function leniently(target: string): string {
  let path = target.split("?", 1)[0] ?? "";
  for (let round = 0; round < 4; round++) {
    path = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  path = path.replaceAll("\\", "/").replace(/;[^/]*/g, "");
  const resolved: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") resolved.pop();
    else if (segment !== "" && segment !== ".") resolved.push(segment);
  }
  return `/${resolved.join("/")}`.toLowerCase();
}
