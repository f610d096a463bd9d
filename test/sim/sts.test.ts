import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, test } from "vitest";
import type { StsState } from "../../src/sim/sts-faults.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { testSts } from "../support/sims.ts";

type Sts = Awaited<ReturnType<typeof testSts>>;

const ROLE = "arn:aws:iam::111122223333:role/team/php-role";
const AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKIABASE/20261124/eu-central-1/sts/aws4_request, SignedHeaders=host, Signature=00";

async function call(sts: Sts, parameters: Record<string, string>, authorization = AUTHORIZATION) {
  const headers: Record<string, string> = { "Content-Type": "application/x-www-form-urlencoded" };
  if (authorization !== "") headers["Authorization"] = authorization;
  const body = new URLSearchParams({ Version: "2011-06-15", ...parameters }).toString();
  const response = await fetch(`http://127.0.0.1:${sts.endpoint.port}/`, { method: "POST", headers, body });
  return { status: response.status, xml: await response.text() };
}

async function faultOf(sts: Sts, parameters: Record<string, string>, authorization?: string) {
  const { status, xml } = await call(sts, { Action: "AssumeRole", RoleArn: ROLE, RoleSessionName: "php-1", ...parameters }, authorization);
  return { status, code: /<Code>(.*)<\/Code>/.exec(xml)?.[1], message: /<Message>(.*)<\/Message>/.exec(xml)?.[1] };
}

function client(sts: Sts, credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): STSClient {
  return new STSClient({ endpoint: `http://127.0.0.1:${sts.endpoint.port}`, region: "eu-central-1", credentials, maxAttempts: 1 });
}

const BASE_KEYS = { accessKeyId: "AKIABASE", secretAccessKey: "base" };

describe("the embedded STS", () => {
  test("answers AssumeRole word for word", async () => {
    const scripted = new Map([[ROLE, { accessKeyId: "ASIAKEY", secretAccessKey: "secret/1", sessionToken: "token==" }]]);
    const sts = await testSts({ scripted, hasFraction: true });
    const { status, xml } = await call(sts, { Action: "AssumeRole", RoleArn: ROLE, RoleSessionName: "php-1", DurationSeconds: "900" });
    expect({ status, xml: xml.replaceAll("\n", "") }).toEqual({
      status: 200,
      xml:
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>' +
        "<AssumedRoleId>AROAEMBEDDEDSTS000001:php-1</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/php-role/php-1</Arn></AssumedRoleUser>" +
        "<Credentials><AccessKeyId>ASIAKEY</AccessKeyId><SecretAccessKey>secret/1</SecretAccessKey><SessionToken>token==</SessionToken>" +
        "<Expiration>2026-11-24T02:15:00.123Z</Expiration></Credentials></AssumeRoleResult>" +
        "<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000001</RequestId></ResponseMetadata></AssumeRoleResponse>",
    });
  });

  test("is understood by the AWS SDK, and knows a session by its key", async () => {
    const sts = await testSts({ canary: "CANARY" });
    const { Credentials: issued } = await client(sts, BASE_KEYS).send(new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: "php-1" }));
    const keys = {
      accessKeyId: issued?.AccessKeyId ?? "",
      secretAccessKey: issued?.SecretAccessKey ?? "",
      sessionToken: issued?.SessionToken ?? "",
    };
    expect(keys).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/),
      secretAccessKey: expect.stringMatching(/^CANARY.{34}$/),
      sessionToken: expect.stringContaining("CANARY"),
    });
    expect(issued?.Expiration).toEqual(new Date("2026-11-24T03:00:00Z"));
    const session = await client(sts, keys).send(new GetCallerIdentityCommand({}));
    const base = await client(sts, BASE_KEYS).send(new GetCallerIdentityCommand({}));
    expect([session.Arn, base.Arn]).toEqual([
      "arn:aws:sts::111122223333:assumed-role/php-role/php-1",
      "arn:aws:sts::111122223333:assumed-role/host-role/i-0abcd1234imdsgate",
    ]);
    expect(sts.calls.map(({ parameters, outcome }) => [parameters["Action"], outcome])).toEqual([
      ["AssumeRole", "ok"],
      ["GetCallerIdentity", "ok"],
      ["GetCallerIdentity", "ok"],
    ]);
  });

  test.for<{ fault: string; parameters: Record<string, string>; message: RegExp }>([
    {
      fault: "no session name",
      parameters: { RoleSessionName: "" },
      message: /'roleSessionName' failed.*length greater than or equal to 2/,
    },
    {
      fault: "a session name with a blank",
      parameters: { RoleSessionName: "a b" },
      message: /'roleSessionName' failed.*regular expression pattern: \[\\w\+=,\.@-\]\*/,
    },
    { fault: "a session name of 65 letters", parameters: { RoleSessionName: "a".repeat(65) }, message: /less than or equal to 64/ },
    {
      fault: "a duration under 15 minutes",
      parameters: { DurationSeconds: "899" },
      message: /'durationSeconds' failed.*greater than or equal to 900/,
    },
    { fault: "a duration over 12 hours", parameters: { DurationSeconds: "43201" }, message: /less than or equal to 43200/ },
    {
      fault: "a chained session of more than an hour",
      parameters: { DurationSeconds: "3601" },
      message: /exceeds the 1 hour session limit/,
    },
    { fault: "an ARN that is no role's", parameters: { RoleArn: "arn:aws:iam::111122223333:user/somebody" }, message: /is invalid$/ },
    { fault: "an external id with a blank", parameters: { ExternalId: "a b" }, message: /'externalId' failed/ },
  ])("refuses $fault", async ({ parameters, message }) => {
    expect(await faultOf(await testSts(), parameters)).toEqual({
      status: 400,
      code: "ValidationError",
      message: expect.stringMatching(message),
    });
  });

  test("lets a user have more than an hour", async () => {
    const sts = await testSts({ baseCallerArn: "arn:aws:iam::111122223333:user/operator" });
    expect((await call(sts, { Action: "AssumeRole", RoleArn: ROLE, RoleSessionName: "php-1", DurationSeconds: "7200" })).status).toBe(200);
  });

  test("refuses a call without a signature", async () => {
    expect(await faultOf(await testSts(), {}, "")).toMatchObject({ status: 403, code: "MissingAuthenticationToken" });
  });

  test("asks the policy with caller, role and external id", async () => {
    const sts = await testSts({ assumable: (_caller, role, externalId) => role === ROLE && externalId === "right" });
    expect(await faultOf(sts, { ExternalId: "wrong" })).toEqual({
      status: 403,
      code: "AccessDenied",
      message: `User: arn:aws:sts::111122223333:assumed-role/host-role/i-0abcd1234imdsgate is not authorized to perform: sts:AssumeRole on resource: ${ROLE}`,
    });
    expect(await faultOf(sts, { ExternalId: "right" })).toEqual({ status: 200, code: undefined, message: undefined });
  });

  test.for([
    { state: "accessDenied", status: 403, code: "AccessDenied" },
    { state: "packedPolicyTooLarge", status: 400, code: "PackedPolicyTooLarge" },
    { state: "throttled", status: 400, code: "Throttling" },
    { state: "expiredBaseOnce", status: 403, code: "ExpiredToken" },
  ] satisfies { state: StsState; status: number; code: string }[])("when $state answers $code", async ({ state, status, code }) => {
    const sts = await testSts();
    sts.setState(state);
    expect(await faultOf(sts, {})).toMatchObject({ status, code });
  });

  test("meets an expired base once, and a long duration only when it is long", async () => {
    const sts = await testSts({ baseCallerArn: "arn:aws:iam::111122223333:user/operator" });
    sts.setState("expiredBaseOnce");
    expect([await faultOf(sts, {}), await faultOf(sts, {})]).toMatchObject([{ code: "ExpiredToken" }, { status: 200 }]);
    sts.setState("durationTooLong");
    expect([await faultOf(sts, { DurationSeconds: "7200" }), await faultOf(sts, {})]).toMatchObject([
      { code: "ValidationError" },
      { status: 200 },
    ]);
  });

  test("lets sessions last as long as it is told, and then refuses their keys", async () => {
    const clock = handMovedClock();
    const sts = await testSts({ clock, lifeSeconds: 10 });
    const { xml } = await call(sts, { Action: "AssumeRole", RoleArn: ROLE, RoleSessionName: "php-1" });
    expect(xml).toContain("<Expiration>2026-11-24T02:00:10Z</Expiration>");
    const authorization = `AWS4-HMAC-SHA256 Credential=${/<AccessKeyId>(.*)<\/AccessKeyId>/.exec(xml)?.[1]}/`;
    const codes = [];
    for (const seconds of [12, 1]) {
      clock.advance(seconds * 1_000);
      codes.push((await faultOf(sts, { Action: "GetCallerIdentity" }, authorization)).code);
    }
    expect(codes).toEqual([undefined, "ExpiredToken"]);
  });

  test("tears the connection down when it is down, and counts no call", async () => {
    const sts = await testSts();
    sts.setState("down");
    await expect(faultOf(sts, {})).rejects.toThrow("fetch failed");
    expect(sts.calls).toEqual([]);
  });

  test("holds its answer while it is slow", async () => {
    const clock = handMovedClock();
    const sts = await testSts({ clock });
    sts.setState("slow300ms");
    const pending = faultOf(sts, {});
    await expect.poll(() => clock.untilNext()).toBe(300);
    clock.advance(300);
    expect(await pending).toMatchObject({ status: 200 });
  });
});
