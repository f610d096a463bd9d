import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { awsSts } from "../../src/credentials/sts.ts";
import { stsFailure } from "../../src/credentials/sts-failure.ts";
import { watchDials } from "./dialled.ts";
import { startHttpStub } from "./http-stub.ts";
import { BASE, requestOf } from "./scripted.ts";

const REQUEST = requestOf({ sessionName: "web-1", externalId: "partner-7f3a", durationSeconds: 900 });

const GOOD_ROLE = `<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/app/web-1</Arn><AssumedRoleId>AROA:web-1</AssumedRoleId></AssumedRoleUser>`;
const GOOD_KEYS = [
  "<AccessKeyId>ASIA0000000000000001</AccessKeyId>",
  "<SecretAccessKey>secretAccessKeyOfTheTests</SecretAccessKey>",
  "<SessionToken>sessionTokenOfTheTests</SessionToken>",
  "<Expiration>2026-11-24T03:00:00.123Z</Expiration>",
];

function assumeRoleXml(keys: readonly string[] = GOOD_KEYS, role = GOOD_ROLE): string {
  const result = `${role}<Credentials>${keys.join("")}</Credentials>`;
  return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>${result}</AssumeRoleResult></AssumeRoleResponse>`;
}

function errorXml(code: string, message: string): string {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}<RequestId>1</RequestId></ErrorResponse>`;
}

/** An STS over HTTP that answers every request with `answer`; the first such request lets `arrived` resolve. */
async function startStub(answer: (response: ServerResponse) => void) {
  const arrived = Promise.withResolvers<void>();
  const { port, asked, sockets } = await startHttpStub((response) => {
    arrived.resolve();
    answer(response);
  });
  const dialled = watchDials();
  onTestFinished(() => expect(new Set(dialled)).toEqual(new Set([`127.0.0.1:${port}`])));
  return { seen: asked, sockets, arrived: arrived.promise, sts: awsSts(`http://127.0.0.1:${port}`) };
}

function startAnswering(status: number, body: string, type = "text/xml") {
  return startStub((response) => response.writeHead(status, { "content-type": type }).end(body));
}

function assume(sts: ReturnType<typeof awsSts>, signal = new AbortController().signal) {
  return sts.assumeRole(REQUEST, BASE, "eu-central-1", signal);
}

async function failureOf(status: number, body: string, type?: string) {
  const { sts, seen } = await startAnswering(status, body, type);
  const error = await assume(sts).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(seen).toHaveLength(1);
  return error;
}

describe("the door to STS", () => {
  test("sends one signed question and gives the answer as it stands", async () => {
    const { sts, seen } = await startAnswering(200, assumeRoleXml());
    expect(await assume(sts)).toEqual({
      accessKeyId: "ASIA0000000000000001",
      secretAccessKey: "secretAccessKeyOfTheTests",
      sessionToken: "sessionTokenOfTheTests",
      expiresAt: Date.UTC(2026, 10, 24, 3, 0, 0, 123),
      assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/app/web-1",
    });
    expect(Object.fromEntries(new URLSearchParams(seen[0]?.body))).toEqual({
      Action: "AssumeRole",
      Version: "2011-06-15",
      RoleArn: REQUEST.roleArn,
      RoleSessionName: "web-1",
      ExternalId: "partner-7f3a",
      DurationSeconds: "900",
    });
    expect(seen[0]?.headers.authorization).toMatch(/Credential=AKIAHOSTHOSTHOSTHOST\/\d{8}\/eu-central-1\/sts\/aws4_request/);
  });

  test("names the caller", async () => {
    const result = "<GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/host/i-0</Arn></GetCallerIdentityResult>";
    const { sts } = await startAnswering(200, `<GetCallerIdentityResponse>${result}</GetCallerIdentityResponse>`);
    expect(await sts.callerArn(BASE, "eu-central-1", new AbortController().signal)).toBe("arn:aws:sts::111122223333:assumed-role/host/i-0");
  });

  test("signs with the credentials of each call", async () => {
    const { sts, seen } = await startAnswering(200, assumeRoleXml());
    await assume(sts);
    const other = { ...BASE, accessKeyId: "AKIAOTHEROTHEROTHER0" };
    await sts.assumeRole(REQUEST, other, "us-gov-west-1", new AbortController().signal);
    expect(seen.map(({ headers: { authorization = "" } }) => /Credential=(\w+)\/\d+\/([^/]+)/.exec(authorization)?.slice(1))).toEqual([
      ["AKIAHOSTHOSTHOSTHOST", "eu-central-1"],
      ["AKIAOTHEROTHEROTHER0", "us-gov-west-1"],
    ]);
  });

  test("keeps one connection, and closes it when it speaks with other credentials", async () => {
    const { sts, sockets } = await startAnswering(200, assumeRoleXml());
    await assume(sts);
    await assume(sts);
    const [first, ...others] = sockets;
    expect(others).toEqual([]);
    const closed = first && once(first, "close");
    await sts.assumeRole(REQUEST, { ...BASE }, "eu-central-1", new AbortController().signal);
    await closed;
    expect([...sockets].map((socket) => socket.destroyed)).toEqual([true, false]);
  });

  test("does not cut a call short because another one has other credentials", async () => {
    const held = Promise.withResolvers<void>();
    const { sts, arrived } = await startStub((response) => {
      const turn = response.req.headers.authorization?.includes("/eu-central-1/") ? held.promise : Promise.resolve();
      void turn.then(() => response.writeHead(200, { "content-type": "text/xml" }).end(assumeRoleXml()));
    });
    const slow = assume(sts);
    await arrived;
    await sts.assumeRole(REQUEST, BASE, "us-gov-west-1", new AbortController().signal);
    held.resolve();
    expect(await slow).toMatchObject({ accessKeyId: "ASIA0000000000000001" });
  });

  test.for([
    { status: 403, name: "AccessDenied", code: "STS_DENIED" },
    { status: 403, name: "AccessDeniedException", code: "STS_DENIED" },
    { status: 400, name: "ValidationError", code: "STS_INVALID" },
    { status: 400, name: "InvalidParameterValue", code: "STS_INVALID" },
    { status: 400, name: "MalformedPolicyDocument", code: "STS_INVALID" },
    { status: 400, name: "PackedPolicyTooLarge", code: "STS_INVALID" },
    { status: 403, name: "RegionDisabledException", code: "STS_INVALID" },
    { status: 404, name: "NoSuchEntity", code: "STS_INVALID" },
    { status: 400, name: "Throttling", code: "STS_THROTTLED" },
    { status: 400, name: "ThrottlingException", code: "STS_THROTTLED" },
    { status: 503, name: "RequestLimitExceeded", code: "STS_THROTTLED" },
    { status: 400, name: "RequestLimitExceeded", code: "STS_THROTTLED" },
    { status: 429, name: "Whatever", code: "STS_THROTTLED" },
    { status: 403, name: "ExpiredToken", code: "STS_BASE_REFUSED" },
    { status: 403, name: "ExpiredTokenException", code: "STS_BASE_REFUSED" },
    { status: 403, name: "InvalidClientTokenId", code: "STS_BASE_REFUSED" },
    { status: 403, name: "UnrecognizedClientException", code: "STS_BASE_REFUSED" },
    { status: 403, name: "SignatureDoesNotMatch", code: "STS_UNAVAILABLE" },
    { status: 500, name: "InternalFailure", code: "STS_UNAVAILABLE" },
    { status: 500, name: "AccessDenied", code: "STS_UNAVAILABLE" },
  ])("calls $name with $status $code", async ({ status, name, code }) => {
    expect(await failureOf(status, errorXml(name, "no"))).toMatchObject({ code });
  });

  test.for([
    { title: "a page without XML", status: 200, body: "<html>welcome</html", code: "STS_ANSWER_BAD" },
    { title: "nothing", status: 200, body: "", code: "STS_ANSWER_BAD" },
    { title: "JSON", status: 200, body: '{"Credentials":{}}', code: "STS_ANSWER_BAD" },
    { title: "no keys", status: 200, body: assumeRoleXml([]), code: "STS_ANSWER_BAD" },
    {
      title: "an empty secret",
      status: 200,
      body: assumeRoleXml(GOOD_KEYS.with(1, "<SecretAccessKey></SecretAccessKey>")),
      code: "STS_ANSWER_BAD",
    },
    { title: "no session token", status: 200, body: assumeRoleXml(GOOD_KEYS.toSpliced(2, 1)), code: "STS_ANSWER_BAD" },
    {
      title: "an expiration that is no time",
      status: 200,
      body: assumeRoleXml(GOOD_KEYS.with(3, "<Expiration>soon</Expiration>")),
      code: "STS_ANSWER_BAD",
    },
    { title: "no role", status: 200, body: assumeRoleXml(GOOD_KEYS, ""), code: "STS_ANSWER_BAD" },
    { title: "XML that is cut", status: 200, body: assumeRoleXml().slice(0, 300), code: "STS_ANSWER_BAD" },
    { title: "a page of a proxy", status: 403, body: "<html>Forbidden</html>", code: "STS_UNAVAILABLE" },
    { title: "a redirect", status: 302, body: "", code: "STS_UNAVAILABLE" },
  ])("takes no answer with $title", async ({ status, body, code }) => {
    const error = await failureOf(status, body);
    expect(error).toMatchObject({ code });
    expect(`${error}`).not.toMatch(/secretAccessKey|sessionToken/);
  });

  test("tells the operator what a denial says, on one line", async () => {
    const message = "User: arn:aws:sts::1:x is not authorized\nto perform: sts:AssumeRole";
    expect(await failureOf(403, errorXml("AccessDenied", message))).toMatchObject({
      message:
        "AssumeRole for arn:aws:iam::111122223333:role/app failed: AccessDenied: User: arn:aws:sts::1:x is not authorized to perform: sts:AssumeRole",
    });
  });

  test.for([
    { title: "a denial", status: 403, name: "AccessDenied", code: "STS_DENIED" },
    { title: "a throttled call", status: 400, name: "Throttling", code: "STS_THROTTLED" },
    { title: "refused keys", status: 403, name: "ExpiredToken", code: "STS_BASE_REFUSED" },
    { title: "anything else", status: 403, name: "Odd", code: "STS_UNAVAILABLE" },
  ])("repeats no more than 64 printable characters of the name of $title", async ({ status, name, code }) => {
    const long = stsFailure({ name: `${name}\n\u001b[31m${"x".repeat(500_000)}`, $metadata: { httpStatusCode: status } }, "AssumeRole");
    expect(long.message).toMatch(/^[\x20-\x7e]{1,250}$/);
    expect([stsFailure({ name, $metadata: { httpStatusCode: status } }, "AssumeRole").code, long.message.includes("x".repeat(65))]).toEqual(
      [code, false],
    );
  });

  test("repeats no more than 64 printable characters of the code of a failure on the way", () => {
    const { message } = stsFailure({ name: "Error", code: `E\r\nX\u001b${"x".repeat(500_000)}` }, "AssumeRole");
    expect(message).toBe(`AssumeRole failed: no answer that can be used (E X ${"x".repeat(60)}); check the network and --sts-endpoint`);
  });

  test("repeats nothing of a refused signature, whose message holds the signed session token", async () => {
    const error = await failureOf(403, errorXml("SignatureDoesNotMatch", `x-amz-security-token:${BASE.sessionToken}`));
    expect(error).toMatchObject({
      message:
        "AssumeRole for arn:aws:iam::111122223333:role/app failed: no answer that can be used (SignatureDoesNotMatch, status 403); check the network and --sts-endpoint",
    });
    expect(error).not.toHaveProperty("cause");
  });

  test.for([
    { title: "before an answer", cut: (response: ServerResponse) => response.destroy() },
    {
      title: "within the body",
      cut: (response: ServerResponse) => response.writeHead(200, { "content-length": 900 }).write("<A", () => response.destroy()),
    },
  ])("survives a connection that is cut $title", async ({ cut }) => {
    const { sts, seen } = await startStub((response) => void cut(response));
    await expect(assume(sts)).rejects.toMatchObject({ code: expect.stringMatching(/^STS_(UNAVAILABLE|ANSWER_BAD)$/) });
    expect(seen).toHaveLength(1);
  });

  test.for([
    { title: "before an answer", begin: () => {} },
    { title: "within the body", begin: (response: ServerResponse) => void response.writeHead(200, { "content-length": 900 }).write("<A") },
  ])("stops when it is told to $title", async ({ begin }) => {
    const { sts, arrived } = await startStub((response) => begin(response));
    const ending = new AbortController();
    const asked = assume(sts, ending.signal);
    const failed = expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/^STS_(UNAVAILABLE|ANSWER_BAD)$/) });
    await arrived;
    ending.abort();
    await failed;
  });

  test("says when nobody listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    await expect(assume(awsSts(`http://127.0.0.1:${port}`))).rejects.toMatchObject({
      code: "STS_UNAVAILABLE",
      message:
        "AssumeRole for arn:aws:iam::111122223333:role/app failed: no answer that can be used (ECONNREFUSED); check the network and --sts-endpoint",
    });
  });
});
