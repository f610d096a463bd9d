import { describe, expect, test } from "vitest";
import { parseRoleAlias, parseRoleArn, parseRoleReference, type RoleArn, roleInAccount } from "../../src/policy/role-arn.ts";

const APP: RoleArn = { arn: "arn:aws:iam::111122223333:role/app", partition: "aws", account: "111122223333", name: "app" };

describe("a role's ARN", () => {
  test.for([
    { arn: "arn:aws:iam::111122223333:role/app", partition: "aws", account: "111122223333", name: "app" },
    { arn: "arn:aws:iam::111122223333:role/team/blue/app", partition: "aws", account: "111122223333", name: "app" },
    {
      arn: "arn:aws-cn:iam::333333333333:role/odd+role=1,a@b.c-_",
      partition: "aws-cn",
      account: "333333333333",
      name: "odd+role=1,a@b.c-_",
    },
    { arn: "arn:aws-us-gov:iam::111122223333:role/app", partition: "aws-us-gov", account: "111122223333", name: "app" },
    { arn: "arn:aws-iso-b:iam::111122223333:role/app", partition: "aws-iso-b", account: "111122223333", name: "app" },
  ])("is read: $arn", (role) => {
    expect(parseRoleArn(role.arn)).toEqual({ value: role });
  });

  test.for([
    "",
    "app",
    "arn:aws:iam::111122223333:user/app",
    "arn:aws:iam::11112222333:role/app",
    "arn:aws:iam::1111222233334:role/app",
    "arn:aws:iam:eu-west-1:111122223333:role/app",
    "arn:AWS:iam::111122223333:role/app",
    "arn:azure:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/",
    "arn:aws:iam::111122223333:role/app/",
    "arn:aws:iam::111122223333:role/a pp",
    "arn:aws:iam::111122223333:role/app\n",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::111122223333:role/ä",
    `arn:aws:iam::111122223333:role/${"a".repeat(65)}`,
    "arn:aws:sts::111122223333:assumed-role/app/session",
  ])("is refused: %j", (text) => {
    expect(parseRoleArn(text)).toEqual({
      problem: `${JSON.stringify(text)} is not the ARN of a role`,
      allowed: "arn:PARTITION:iam::ACCOUNT:role/NAME: 12 digits, and a name of 1 to 64 letters, digits and +=,.@_-",
      example: "arn:aws:iam::111122223333:role/app",
    });
  });
});

describe("what stands where a role belongs", () => {
  const aliases = new Map([["short", APP]]);

  test.for([
    { title: "an ARN", text: APP.arn, value: { kind: "arn", role: APP, text: APP.arn } },
    { title: "an alias", text: "short", value: { kind: "arn", role: APP, text: "short" } },
    { title: "a bare name", text: "app", value: { kind: "name", name: "app", text: "app" } },
    { title: "a bare name with a path", text: "team/app", value: { kind: "name", name: "team/app", text: "team/app" } },
  ])("is read when it is $title", ({ text, value }) => {
    expect(parseRoleReference(text, aliases)).toEqual({ value });
  });

  test.for(["", "odd=role", "/app", "app/", "a//b", "two words", "app*", "a".repeat(65)])("is refused: %j", (text) => {
    expect(parseRoleReference(text, aliases)).toEqual({
      problem: `${JSON.stringify(text)} is not the name of a role`,
      allowed: 'an ARN, an alias, or a name of 1 to 64 letters, digits and +,.@_- (a name that holds "=" needs an alias: --role ALIAS=ARN)',
      example: "arn:aws:iam::111122223333:role/app",
    });
  });

  test("that looks like an ARN is never taken for a name", () => {
    expect(parseRoleReference("arn:aws:iam::1:role/app", aliases)).toHaveProperty(
      "problem",
      '"arn:aws:iam::1:role/app" is not the ARN of a role',
    );
  });

  test("means the role of that name in the host's account and partition", () => {
    expect(roleInAccount("team/app", "aws-us-gov", "222233334444")).toEqual({
      arn: "arn:aws-us-gov:iam::222233334444:role/team/app",
      partition: "aws-us-gov",
      account: "222233334444",
      name: "app",
    });
  });
});

describe("an alias", () => {
  test("stands before the first equals sign", () => {
    const arn = "arn:aws:iam::111122223333:role/odd=role";
    expect(parseRoleAlias(`odd=${arn}`)).toEqual({
      value: { alias: "odd", role: { arn, partition: "aws", account: "111122223333", name: "odd=role" } },
    });
  });

  test.for([APP.arn, `=${APP.arn}`, `a b=${APP.arn}`, "app"])("is missing in %j", (text) => {
    expect(parseRoleAlias(text)).toEqual({
      problem: `${JSON.stringify(text)} does not begin with an alias`,
      allowed: "ALIAS=ARN, the alias of 1 to 64 letters, digits and +,.@_-",
      example: "app=arn:aws:iam::111122223333:role/app",
    });
  });

  test("must stand for an ARN", () => {
    expect(parseRoleAlias("app=web-role")).toEqual({
      problem: '"web-role" is not the ARN of a role',
      allowed: "arn:PARTITION:iam::ACCOUNT:role/NAME: 12 digits, and a name of 1 to 64 letters, digits and +=,.@_-",
      example: "app=arn:aws:iam::111122223333:role/app",
    });
  });
});
