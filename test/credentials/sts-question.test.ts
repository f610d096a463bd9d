import { expect, test } from "vitest";
import { awsSts } from "../../src/credentials/sts.ts";
import { startHttpStub } from "./http-stub.ts";
import { BASE, requestOf } from "./scripted.ts";

/** The parameters of the one AssumeRole that goes over HTTP for `over`. */
async function askedOf(over: Parameters<typeof requestOf>[0]): Promise<Record<string, string>> {
  const stub = await startHttpStub((response) => response.writeHead(503).end());
  const asked = awsSts(`http://127.0.0.1:${stub.port}`).assumeRole(requestOf(over), BASE, "eu-central-1", new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ code: "STS_UNAVAILABLE" });
  expect(stub.asked).toHaveLength(1);
  return Object.fromEntries(new URLSearchParams(stub.asked[0]?.body));
}

test("STS is asked for all that a session is to have (S2 to S5)", async () => {
  const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}';
  const request = {
    roleArn: "arn:aws-cn:iam::111122223333:role/team/app",
    sessionName: "web-1",
    externalId: "partner:7f3a/1",
    sourceIdentity: "web@host",
    tags: [
      { key: "team", value: "größe 1+=", isTransitive: true },
      { key: "env", value: "", isTransitive: false },
      { key: "Cost Center", value: "a/b", isTransitive: true },
    ],
    policy,
    policyArns: ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess", "arn:aws-cn:iam::111122223333:policy/app"],
    durationSeconds: 900,
  };
  expect(await askedOf(request)).toEqual({
    Action: "AssumeRole",
    Version: "2011-06-15",
    RoleArn: request.roleArn,
    RoleSessionName: "web-1",
    ExternalId: "partner:7f3a/1",
    SourceIdentity: "web@host",
    "Tags.member.1.Key": "team",
    "Tags.member.1.Value": "größe 1+=",
    "Tags.member.2.Key": "env",
    "Tags.member.2.Value": "",
    "Tags.member.3.Key": "Cost Center",
    "Tags.member.3.Value": "a/b",
    "TransitiveTagKeys.member.1": "team",
    "TransitiveTagKeys.member.2": "Cost Center",
    Policy: policy,
    "PolicyArns.member.1.arn": "arn:aws-cn:iam::aws:policy/ReadOnlyAccess",
    "PolicyArns.member.2.arn": "arn:aws-cn:iam::111122223333:policy/app",
    DurationSeconds: "900",
  });
});

test("STS is asked for nothing that a session is not to have", async () => {
  expect(await askedOf({ tags: [{ key: "team", value: "blue", isTransitive: false }] })).toEqual({
    Action: "AssumeRole",
    Version: "2011-06-15",
    RoleArn: "arn:aws:iam::111122223333:role/app",
    RoleSessionName: "web-9f2c4e5a6b7c",
    "Tags.member.1.Key": "team",
    "Tags.member.1.Value": "blue",
    DurationSeconds: "3600",
  });
  expect(Object.keys(await askedOf({})).sort()).toEqual(["Action", "DurationSeconds", "RoleArn", "RoleSessionName", "Version"]);
});
