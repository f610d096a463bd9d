import { createHash } from "node:crypto";
import { once } from "node:events";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { sdkCredentials } from "../../src/credentials/operator-credentials.ts";
import { useAwsEnvironment } from "./aws-environment.ts";
import { watchDials } from "./dialled.ts";
import { startHttpStub } from "./http-stub.ts";

const NOWHERE = { host: "127.0.0.1", port: 9 };
const PROCESS_FAILED = "the profile's credential_process failed; try it with: aws sts get-caller-identity";

const CANARY = "wJalrXUtnFEMIcanaryOfTheTests";

function ask({ region, signal = new AbortController().signal }: { region?: string; signal?: AbortSignal } = {}) {
  return sdkCredentials(NOWHERE, region)(signal);
}

/** Why there are none. */
async function refusal(signal?: AbortSignal): Promise<string> {
  const error = await ask(signal ? { signal } : {}).then(
    () => "there are some",
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
  return `${error}`.replace("ImdsgateError: imdsgate has no credentials of its own: ", "");
}

describe("the operator's credentials", () => {
  test("are none where nothing is configured, and nothing is dialled to find that out", async () => {
    await useAwsEnvironment();
    const dialled = watchDials();
    expect(await ask()).toBeUndefined();
    expect(dialled).toEqual([]);
  });

  test.for([
    { title: "is switched on again", variables: { AWS_EC2_METADATA_DISABLED: "false" } },
    { title: "is elsewhere", variables: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1" } },
    { title: "is at its IPv6 address", variables: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" } },
    { title: "may be spoken to by IMDSv1", variables: { AWS_EC2_METADATA_V1_DISABLED: "false" } },
    { title: "is to be asked for the mode of the SDK", variables: { AWS_DEFAULTS_MODE: "auto" } },
  ])("are not looked for at IMDS where the environment says that it $title", async ({ variables }) => {
    await useAwsEnvironment({ ...variables });
    const dialled = watchDials();
    expect(await ask()).toBeUndefined();
    expect(dialled).toEqual([]);
  });

  test("come from the environment", async () => {
    await useAwsEnvironment({ AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "envSecret", AWS_SESSION_TOKEN: "envToken" });
    const dialled = watchDials();
    expect(await ask()).toEqual({
      accessKeyId: "AKIAENV",
      secretAccessKey: "envSecret",
      sessionToken: "envToken",
      expiresAt: undefined,
      source: "environment",
    });
    expect(dialled).toEqual([]);
  });

  test("come from a profile, and from what its file says by now", async () => {
    const environment = await useAwsEnvironment({ AWS_PROFILE: "ops" });
    const keys = (id: string) => `[ops]\naws_access_key_id = ${id}\naws_secret_access_key = opsSecret\n`;
    await environment.write(".aws/credentials", keys("AKIAOLD"));
    expect(await ask()).toEqual({
      accessKeyId: "AKIAOLD",
      secretAccessKey: "opsSecret",
      sessionToken: undefined,
      expiresAt: undefined,
      source: "profile",
    });
    await environment.write(".aws/credentials", keys("AKIANEW"));
    expect(await ask()).toMatchObject({ accessKeyId: "AKIANEW" });
  });

  test("come from a container credentials service", async () => {
    const answer = { AccessKeyId: "ASIACONT", SecretAccessKey: "contSecret", Token: "contToken", Expiration: "2026-11-24T03:00:00Z" };
    const service = await startHttpStub((response) => response.end(JSON.stringify(answer)));
    await useAwsEnvironment({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${service.port}/keys`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "pass",
    });
    expect(await ask()).toEqual({
      accessKeyId: "ASIACONT",
      secretAccessKey: "contSecret",
      sessionToken: "contToken",
      expiresAt: Date.UTC(2026, 10, 24, 3),
      source: "container credentials",
    });
    expect(service.asked.map(({ line, headers }) => `${line} ${headers.authorization}`)).toEqual(["GET /keys pass"]);
  });

  test("come from a web identity", async () => {
    const keys =
      "<AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>webSecret</SecretAccessKey><SessionToken>webToken</SessionToken><Expiration>2026-11-24T03:00:00Z</Expiration>";
    const result = `<AssumeRoleWithWebIdentityResult><Credentials>${keys}</Credentials></AssumeRoleWithWebIdentityResult>`;
    const sts = await startHttpStub((response) =>
      response.end(`<AssumeRoleWithWebIdentityResponse>${result}</AssumeRoleWithWebIdentityResponse>`),
    );
    const environment = await useAwsEnvironment({
      AWS_ROLE_ARN: "arn:aws-us-gov:iam::111122223333:role/ops",
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${sts.port}`,
    });
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", await environment.write("token", "identityOfTheTests"));
    expect(await ask({ region: "us-gov-west-1" })).toMatchObject({
      accessKeyId: "ASIAWEB",
      expiresAt: Date.UTC(2026, 10, 24, 3),
      source: "web identity",
    });
    expect(Object.fromEntries(new URLSearchParams(sts.asked[0]?.body))).toMatchObject({
      Action: "AssumeRoleWithWebIdentity",
      WebIdentityToken: "identityOfTheTests",
    });
  });

  test("of a profile that assumes a role come from STS in the Region that imdsgate was given, without a word on the console", async () => {
    const role = "role_arn = arn:aws-us-gov:iam::111122223333:role/ops\nsource_profile = keys\n";
    const keys = "aws_access_key_id = AKIAOPS\naws_secret_access_key = opsSecret\n";
    await useAwsEnvironment({ AWS_PROFILE: "ops", AWS_DEFAULTS_MODE: "auto" }, `[profile ops]\n${role}[profile keys]\n${keys}`);
    const warned = vi.spyOn(console, "warn");
    onTestFinished(() => warned.mockRestore());
    const dialled = watchDials();
    await expect(ask({ region: "us-gov-west-1" })).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(dialled).toEqual(["sts.us-gov-west-1.amazonaws.com:443"]);
    expect(warned).not.toHaveBeenCalled();
  });
});

describe("the operator's credentials that are configured and fail", () => {
  test.for([
    {
      title: "a profile that is not there",
      variables: { AWS_PROFILE: "gone" },
      why: "Could not resolve credentials using profile: [gone] in configuration/credentials file(s).",
    },
    {
      title: "half a key",
      variables: { AWS_ACCESS_KEY_ID: "AKIAENV" },
      why: "AWS_ACCESS_KEY_ID is set, but leads to none; try it with: aws sts get-caller-identity",
    },
    {
      title: "a web identity without a role",
      variables: { AWS_WEB_IDENTITY_TOKEN_FILE: "/nowhere" },
      why: "AWS_WEB_IDENTITY_TOKEN_FILE is set, but leads to none; try it with: aws sts get-caller-identity",
    },
    {
      title: "a web identity without its file",
      variables: { AWS_WEB_IDENTITY_TOKEN_FILE: "/nowhere", AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/ops" },
      why: "ENOENT: no such file or directory, open '/nowhere'",
    },
    {
      title: "a container credentials service that is not there",
      variables: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9/keys" },
      why: "Error: connect ECONNREFUSED 127.0.0.1:9",
    },
    {
      title: "a container credentials service on the network",
      variables: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://192.0.2.1/keys" },
      why: "URL not accepted. It must either be HTTPS or match one of the following:",
    },
    { title: "a profile whose program fails", variables: { AWS_PROFILE: "ops" }, why: PROCESS_FAILED },
    { title: "the default profile, whose program fails", variables: {}, why: PROCESS_FAILED },
  ])("are missed, not replaced: $title", async ({ variables, why }) => {
    const program = `credential_process = /bin/sh -c "echo aSecret >&2; exit 1"\n`;
    await useAwsEnvironment(
      { ...variables },
      `[profile ops]\n${program}${Object.keys(variables).length === 0 ? `[default]\n${program}` : ""}`,
    );
    expect(await refusal()).toBe(why);
  });

  test("say that an end is no time, and give no keys that would never be loaded anew", async () => {
    const environment = await useAwsEnvironment({ AWS_PROFILE: "ops" });
    const answer = { Version: 1, AccessKeyId: "AKIAOPS", SecretAccessKey: "opsSecret", Expiration: "soon" };
    const path = await environment.write("keys.json", JSON.stringify(answer));
    await environment.write(".aws/config", `[profile ops]\ncredential_process = cat ${path}\n`);
    expect(await refusal()).toBe("those of profile are of no use: their expiration is no time");
  });

  test.for([
    { title: "a value without quotes", text: `{"AccessKeyId":"AKIACANARY","SecretAccessKey":${CANARY}","Token":"t"}` },
    { title: "a bare key", text: CANARY },
    { title: "a bare key after a line feed", text: `\n\n${CANARY}` },
    { title: "a value that does not end", text: `{"SecretAccessKey":"${CANARY}` },
    { title: "a control character", text: `{"SecretAccessKey":"${CANARY}\n"}` },
    { title: "more than one value", text: `{"SecretAccessKey":"${CANARY}"} ${CANARY}` },
    { title: "no comma", text: `{"a":"b" "SecretAccessKey":"${CANARY}"}` },
    { title: "nothing", text: "" },
  ])("repeat nothing of an answer that is no JSON: $title", async ({ text }) => {
    const service = await startHttpStub((response) => response.end(text));
    await useAwsEnvironment({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${service.port}/keys` });
    expect(await refusal()).toBe("what it answered is no JSON");
    const environment = await useAwsEnvironment({ AWS_PROFILE: "ops" });
    const path = await environment.write("keys.json", text);
    await environment.write(".aws/config", `[profile ops]\ncredential_process = cat ${path}\n`);
    expect(await refusal()).toBe("Profile ops credential_process returned invalid JSON.");
  });

  test.for([
    { title: "was never begun", cached: undefined, words: /is invalid.*aws sso login/ },
    { title: "has expired", cached: "2020-01-01T00:00:00Z", words: /has expired.*aws sso login/ },
  ])("say that a single sign-on $title, and dial nobody", async ({ cached, words }) => {
    const start = "https://sso.invalid/start";
    const session = `sso_account_id = 111122223333\nsso_region = eu-central-1\nsso_role_name = ops\nsso_start_url = ${start}\n`;
    const environment = await useAwsEnvironment({ AWS_PROFILE: "ops" }, `[profile ops]\n${session}`);
    const file = `${createHash("sha1").update(start).digest("hex")}.json`;
    if (cached) await environment.write(`.aws/sso/cache/${file}`, JSON.stringify({ accessToken: "ssoToken", expiresAt: cached }));
    const dialled = watchDials();
    expect(await refusal()).toMatch(words);
    expect(dialled).toEqual([]);
  });
});

describe("the operator's credentials that hang", () => {
  test("end with the question: a program", async () => {
    const listener = await startHttpStub(() => {});
    const environment = await useAwsEnvironment({ AWS_PROFILE: "ops" });
    const program = await environment.write("hang.cjs", `require("node:net").connect(${listener.port}, "127.0.0.1");`);
    await environment.write(".aws/config", `[profile ops]\ncredential_process = ${process.execPath} ${program}\n`);
    const ending = new AbortController();
    const asked = refusal(ending.signal);
    const line = await listener.connected;
    const gone = once(line, "close");
    ending.abort();
    expect(await asked).toBe(PROCESS_FAILED);
    await gone;
  });

  test("end with the question: a container credentials service", async () => {
    const arrived = Promise.withResolvers<void>();
    const service = await startHttpStub(() => arrived.resolve());
    await useAwsEnvironment({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${service.port}/keys` });
    const ending = new AbortController();
    const asked = refusal(ending.signal);
    await arrived.promise;
    const gone = once(await service.connected, "close");
    ending.abort();
    expect(await asked).toBe("Error: it took too long");
    await gone;
  });

  test("end with the question: STS, asked by a profile", async () => {
    const arrived = Promise.withResolvers<void>();
    const sts = await startHttpStub(() => arrived.resolve());
    const role = "role_arn = arn:aws:iam::111122223333:role/ops\nsource_profile = keys\nregion = eu-central-1\n";
    await useAwsEnvironment(
      { AWS_PROFILE: "ops", AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${sts.port}` },
      `[profile ops]\n${role}[profile keys]\naws_access_key_id = AKIAOPS\naws_secret_access_key = opsSecret\n`,
    );
    const ending = new AbortController();
    const asked = refusal(ending.signal);
    await arrived.promise;
    const gone = once(await sts.connected, "close");
    ending.abort();
    expect(await asked).toBe("it took too long");
    await gone;
    expect(sts.asked).toHaveLength(1);
  });
});
