import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePolicyArn, parseSessionPolicy, policyArnsProblem } from "../../src/policy/session-policy.ts";

const POLICY = `{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a  b/\\"x\\" : y" }]
}
`;
const PLAIN =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a  b/\\"x\\" : y"}]}';

describe("a session policy (S5)", () => {
  test("is sent as it was written, but for the white space between its parts", () => {
    expect(parseSessionPolicy(POLICY)).toEqual({ value: PLAIN });
  });

  test("keeps what a reader of JSON would drop or change", () => {
    expect(parseSessionPolicy('{"a": 1.0, "a": 1e2}')).toEqual({ value: '{"a":1.0,"a":1e2}' });
  });

  test("means the same without its white space", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: true })), (policy) => {
        const parsed = parseSessionPolicy(JSON.stringify(policy, null, 3));
        if ("value" in parsed) expect(parsed.value).toBe(JSON.stringify(policy));
      }),
    );
  });

  test("may have 2048 characters, not counting white space", () => {
    const text = (length: number) => `{ "a" :\n"${"x".repeat(length - 8)}" }`;
    expect(parseSessionPolicy(text(2048))).toEqual({ value: `{"a":"${"x".repeat(2040)}"}` });
    expect(parseSessionPolicy(text(2049))).toMatchObject({ problem: "this has 2049 characters without its white space" });
  });

  test.for([
    { text: "", problem: "this is no JSON object" },
    { text: "{", problem: "this is no JSON object" },
    { text: "[]", problem: "this is no JSON object" },
    { text: '"{}"', problem: "this is no JSON object" },
    { text: "null", problem: "this is no JSON object" },
    { text: "{'a': 1}", problem: "this is no JSON object" },
    { text: "policy.json", problem: "this is no JSON object" },
    { text: '{"a":"€"}', problem: "this holds a character beyond U+00FF" },
  ])("is refused: $text", ({ text, problem }) => {
    expect(parseSessionPolicy(text)).toEqual({
      problem,
      allowed: "a policy as JSON text of at most 2048 characters up to U+00FF (write others as \\uXXXX)",
      example: expect.stringMatching(/^policy: '\{/),
    });
  });
});

describe("a managed policy (S5)", () => {
  test.for([
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM",
    "arn:aws:iam::111122223333:policy/team/blue+=,.@-_",
    "arn:aws-cn:iam::aws:policy/ReadOnlyAccess",
    "arn:aws-us-gov:iam::111122223333:policy/app",
    "arn:aws-iso-b:iam::aws:policy/ReadOnlyAccess",
  ])("is taken: %s", (text) => {
    expect(parsePolicyArn(text)).toEqual({ value: text });
  });

  test.for([
    "",
    "ReadOnlyAccess",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::1111:policy/app",
    "arn:aws:iam::aws:policy/",
    "arn:aws:iam::aws:policy/a b",
    "arn:aws:iam::aws:policy/a\n",
    "arn:azure:iam::aws:policy/app",
    `arn:aws:iam::aws:policy/${"a".repeat(129)}`,
  ])("is refused: %j", (text) => {
    expect(parsePolicyArn(text)).toMatchObject({ problem: `${JSON.stringify(text)} is not the ARN of a managed policy` });
  });

  test("comes with nine others at most, each once", () => {
    const arns = Array.from({ length: 11 }, (_, n) => `arn:aws:iam::aws:policy/p${n}`);
    expect([arns.slice(1), arns, ["a", "a"]].map((some) => policyArnsProblem(some)?.problem)).toEqual([
      undefined,
      "there are 11 policies",
      "a policy is given twice",
    ]);
  });
});
