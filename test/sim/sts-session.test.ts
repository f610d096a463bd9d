import { describe, expect, test } from "vitest";
import { testSts } from "../support/sims.ts";

type Parameters = Readonly<Record<string, string>>;

const ROLE = "arn:aws-us-gov:iam::111122223333:role/team/php-role";
const AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKIABASE/20261124/us-gov-west-1/sts/aws4_request, SignedHeaders=host, Signature=00";

async function answerTo(parameters: Parameters) {
  const sts = await testSts();
  const all = { Action: "AssumeRole", Version: "2011-06-15", RoleArn: ROLE, RoleSessionName: "php-1", ...parameters };
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Authorization: AUTHORIZATION };
  const body = new URLSearchParams(all).toString();
  const response = await fetch(`http://127.0.0.1:${sts.endpoint.port}/`, { method: "POST", headers, body });
  const xml = await response.text();
  const textOf = (element: string) => new RegExp(`<${element}>(.*)</${element}>`).exec(xml)?.[1];
  return { sts, all, status: response.status, code: textOf("Code"), message: textOf("Message"), sourceIdentity: textOf("SourceIdentity") };
}

function tags(...pairs: readonly (readonly [key: string, value: string])[]): Parameters {
  return Object.fromEntries(
    pairs.flatMap(([key, value], n) => [
      [`Tags.member.${n + 1}.Key`, key],
      [`Tags.member.${n + 1}.Value`, value],
    ]),
  );
}

function list(name: string, values: readonly string[], field = ""): Parameters {
  return Object.fromEntries(values.map((value, n) => [`${name}.member.${n + 1}${field}`, value]));
}

describe("the embedded STS", () => {
  test("takes session facts and keeps them in its calls (S2 to S5)", async () => {
    const { sts, all, status, sourceIdentity } = await answerTo({
      SourceIdentity: "php@host",
      ...tags(["team", "größe 1"], ["env", ""], ["a".repeat(128), "b".repeat(256)]),
      ...list("TransitiveTagKeys", ["team"]),
      Policy: '{"Statement":[]}',
      ...list("PolicyArns", ["arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess", "arn:aws-us-gov:iam::111122223333:policy/a/b"], ".arn"),
    });
    expect([status, sourceIdentity]).toEqual([200, "php@host"]);
    expect(sts.calls.map(({ parameters, outcome }) => ({ parameters, outcome }))).toEqual([{ parameters: all, outcome: "ok" }]);
  });

  const fifty = Array.from({ length: 50 }, (_, n) => [`k${n}`, "v"] as const);
  const pattern = "Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]";
  const constraint = (at: string, rule: string) => `1 validation error detected: ${at} failed to satisfy constraint: ${rule}`;
  const longerThan = (most: number) => `Member must have length less than or equal to ${most}`;

  test("takes fifty tags and ten policies", async () => {
    const arns = Array.from({ length: 10 }, (_, n) => `arn:aws:iam::aws:policy/p${n}`);
    expect(await answerTo({ ...tags(...fifty), ...list("PolicyArns", arns, ".arn") })).toMatchObject({ status: 200 });
  });

  test.for<{ fault: string; parameters: Parameters; message: string; code?: string }>([
    {
      fault: "a tag's value",
      parameters: tags(["a", "b"], ["c", "x!"]),
      message: constraint("Value 'x!' at 'tags.2.member.value'", `${pattern}*`),
    },
    { fault: "a tag's key", parameters: tags(["x!", "b"]), message: constraint("Value 'x!' at 'tags.1.member.key'", `${pattern}+`) },
    {
      fault: "half a tag",
      parameters: { "Tags.member.1.Key": "a" },
      message: constraint("Value null at 'tags.1.member.value'", "Member must not be null"),
    },
    {
      fault: "a long value",
      parameters: tags(["a", "v".repeat(257)]),
      message: constraint(`Value '${"v".repeat(257)}' at 'tags.1.member.value'`, longerThan(256)),
    },
    {
      fault: "a long key",
      parameters: tags(["k".repeat(129), ""]),
      message: constraint(`Value '${"k".repeat(129)}' at 'tags.1.member.key'`, longerThan(128)),
    },
    { fault: "51 tags", parameters: tags(...fifty, ["k50", "v"]), message: constraint("Value at 'tags'", longerThan(50)) },
    {
      fault: "a key twice",
      parameters: tags(["a", "b"], ["A", "c"]),
      code: "InvalidParameterValue",
      message: "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    },
    {
      fault: "a reserved key",
      parameters: tags(["aws:a", "b"]),
      code: "InvalidParameterValue",
      message: "Tag keys must not begin with the reserved prefix aws:.",
    },
    {
      fault: "a stray transitive key",
      parameters: { ...tags(["a", "b"]), ...list("TransitiveTagKeys", ["a", "c"]) },
      code: "InvalidParameterValue",
      message: "The specified transitive tag key must be included in the requested tags.",
    },
    {
      fault: "a source identity",
      parameters: { SourceIdentity: "a b" },
      message: constraint("Value 'a b' at 'sourceIdentity'", "Member must satisfy regular expression pattern: [\\w+=,.@-]*"),
    },
    { fault: "a policy that is none", parameters: { Policy: "{}" }, code: "MalformedPolicyDocument", message: "Syntax errors in policy." },
    {
      fault: "a policy that is no JSON",
      parameters: { Policy: "{" },
      code: "MalformedPolicyDocument",
      message: "Syntax errors in policy.",
    },
    {
      fault: "a long policy",
      parameters: { Policy: "x".repeat(2049) },
      message: constraint(`Value '${"x".repeat(2049)}' at 'policy'`, longerThan(2048)),
    },
    {
      fault: "11 policies",
      parameters: list(
        "PolicyArns",
        Array.from({ length: 11 }, () => "arn:aws:iam::aws:policy/a"),
        ".arn",
      ),
      message: constraint("Value at 'policyArns'", longerThan(10)),
    },
    {
      fault: "an ARN of no policy",
      parameters: list("PolicyArns", ["arn:aws:iam::111122223333:role/a"], ".arn"),
      message: "ARN arn:aws:iam::111122223333:role/a is not valid.",
    },
  ])("refuses $fault", async ({ parameters, message, code = "ValidationError" }) => {
    const answer = await answerTo(parameters);
    expect({ status: answer.status, code: answer.code, message: answer.message }).toEqual({ status: 400, code, message });
  });
});
