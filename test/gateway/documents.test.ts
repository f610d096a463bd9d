import { expect, test } from "vitest";
import { credentialsDocument, deniedDocument, iamInfoDocument } from "../../src/gateway/documents.ts";

const lease = {
  roleArn: "arn:aws:iam::111122223333:role/team/app",
  sessionName: "app-0123456789ab",
  sourceIdentity: undefined,
  accessKeyId: "ASIAEXAMPLEEXAMPLE01",
  secretAccessKey: 'a/b+"c',
  sessionToken: "IQoJ==\u00e9",
  issuedAt: Date.UTC(2026, 10, 24, 2, 0, 0, 999),
  expiresAt: Date.UTC(2026, 10, 24, 3, 0, 0, 123),
};

test("credentials stand in seven fields, in order, seconds floored, ASCII alone, without a final newline (F1 to F4)", () => {
  expect(credentialsDocument(lease)).toBe(`{
  "Code" : "Success",
  "LastUpdated" : "2026-11-24T02:00:00Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAEXAMPLEEXAMPLE01",
  "SecretAccessKey" : "a/b+\\"c",
  "Token" : "IQoJ==\\u00e9",
  "Expiration" : "2026-11-24T03:00:00Z"
}`);
});

test("a refusal of STS names the role and nothing else (F6)", () => {
  expect(deniedDocument("app", lease.issuedAt)).toBe(`{
  "Code" : "AssumeRoleUnauthorizedAccess",
  "Message" : "EC2 cannot assume the role app. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.",
  "LastUpdated" : "2026-11-24T02:00:00Z"
}`);
});

test("iam/info has partition and account of the role, and one stable id for one role (F5)", () => {
  const role = { arn: "arn:aws-cn:iam::333333333333:role/team/app", partition: "aws-cn", account: "333333333333", name: "app" };
  const document: unknown = JSON.parse(iamInfoDocument(role, lease.issuedAt));
  expect(document).toEqual({
    Code: "Success",
    LastUpdated: "2026-11-24T02:00:00Z",
    InstanceProfileArn: "arn:aws-cn:iam::333333333333:instance-profile/app",
    InstanceProfileId: expect.stringMatching(/^AIPA[A-Z2-7]{17}$/),
  });
  expect(iamInfoDocument(role, 0)).toBe(iamInfoDocument(role, 0));
  expect(iamInfoDocument({ ...role, arn: `${role.arn}2` }, 0)).not.toBe(iamInfoDocument(role, 0));
});
