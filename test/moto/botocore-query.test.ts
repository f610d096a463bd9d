import { expect, test } from "vitest";
import { awsSts } from "../../src/credentials/sts.ts";
import { startHttpStub } from "../credentials/http-stub.ts";
import { BASE, requestOf } from "../credentials/scripted.ts";
import { runProgram } from "../support/docker-host/running-program.ts";
import { PYTHON } from "./moto.ts";

/** botocore's own words for an AssumeRole with parameters given as JSON. */
const BOTOCORE = `
import json, sys
import botocore.session
from botocore.serialize import create_serializer
model = botocore.session.get_session().get_service_model("sts").operation_model("AssumeRole")
print(json.dumps(create_serializer("query").serialize_to_request(json.load(sys.stdin), model)["body"]))
`;

test("what STS is asked for is what botocore would ask for, to the letter", async () => {
  const stub = await startHttpStub((response) => response.writeHead(503).end());
  const request = requestOf({
    roleArn: "arn:aws-us-gov:iam::111122223333:role/team/app",
    sessionName: "web-1",
    externalId: "a:b/c@d",
    sourceIdentity: "web@host",
    tags: [
      { key: "team", value: "w e+b", isTransitive: true },
      { key: "Kostenstelle Süd", value: "", isTransitive: false },
      { key: "env", value: "prod:eu/1=2", isTransitive: true },
    ],
    policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}',
    policyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/logs"],
    durationSeconds: 900,
  });
  const asked = awsSts(`http://127.0.0.1:${stub.port}`).assumeRole(request, BASE, "us-gov-west-1", new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ code: "STS_UNAVAILABLE" });

  const parameters = {
    RoleArn: request.roleArn,
    RoleSessionName: "web-1",
    ExternalId: "a:b/c@d",
    SourceIdentity: "web@host",
    Tags: [
      { Key: "team", Value: "w e+b" },
      { Key: "Kostenstelle Süd", Value: "" },
      { Key: "env", Value: "prod:eu/1=2" },
    ],
    TransitiveTagKeys: ["team", "env"],
    Policy: request.policy,
    PolicyArns: [{ arn: "arn:aws:iam::aws:policy/ReadOnlyAccess" }, { arn: "arn:aws:iam::111122223333:policy/logs" }],
    DurationSeconds: 900,
  };
  const printed = await runProgram({ program: PYTHON, args: ["-c", BOTOCORE], input: JSON.stringify(parameters) });
  const expected = Object.entries(JSON.parse(printed)).map(([name, value]) => [name, `${value}`]);
  const sent = [...new URLSearchParams(stub.asked[0]?.body)];
  expect(sent.toSorted()).toEqual(expected.toSorted());
});
