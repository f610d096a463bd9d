import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { sdkCredentials } from "../../src/credentials/operator-credentials.ts";
import { watchDials } from "./dialled.ts";

/** An environment without any AWS setting but these, and `config` as the configuration file of the SDK. */
async function useEnvironment(variables: Record<string, string>, config = ""): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "imdsgate-test-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, "config"), config);
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  for (const name of ["AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"]) vi.stubEnv(name, undefined);
  const files = {
    AWS_CONFIG_FILE: join(directory, "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(directory, "credentials"),
    HOME: directory,
  };
  for (const [name, value] of Object.entries({ ...files, ...variables })) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

const NOWHERE = { host: "127.0.0.1", port: 9 };

describe("the operator's credentials", () => {
  test("are none where nothing is configured, and nothing is dialled to find that out", async () => {
    await useEnvironment({});
    const dialled = watchDials();
    expect(await sdkCredentials(NOWHERE)()).toBeUndefined();
    expect(dialled).toEqual([]);
  });

  test("come from the environment", async () => {
    await useEnvironment({ AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "envSecret", AWS_SESSION_TOKEN: "envToken" });
    const dialled = watchDials();
    expect(await sdkCredentials(NOWHERE)()).toEqual({
      accessKeyId: "AKIAENV",
      secretAccessKey: "envSecret",
      sessionToken: "envToken",
      expiresAt: undefined,
      source: "environment",
    });
    expect(dialled).toEqual([]);
  });

  test("come from a profile", async () => {
    await useEnvironment({ AWS_PROFILE: "ops" }, "[profile ops]\naws_access_key_id = AKIAOPS\naws_secret_access_key = opsSecret\n");
    expect(await sdkCredentials(NOWHERE)()).toEqual({
      accessKeyId: "AKIAOPS",
      secretAccessKey: "opsSecret",
      sessionToken: undefined,
      expiresAt: undefined,
      source: "profile",
    });
  });

  test.for([
    { title: "a profile that is not there", variables: { AWS_PROFILE: "gone" }, wish: "AWS_PROFILE" },
    { title: "a profile whose program fails", variables: { AWS_PROFILE: "ops" }, wish: "AWS_PROFILE" },
    { title: "half a key", variables: { AWS_ACCESS_KEY_ID: "AKIAENV" }, wish: "AWS_ACCESS_KEY_ID" },
  ])("are missed, not replaced, with $title", async ({ variables, wish }) => {
    await useEnvironment(variables, `[profile ops]\ncredential_process = /bin/sh -c "echo aSecret >&2; exit 1"\n`);
    const error = await sdkCredentials(NOWHERE)().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "BASE_CREDENTIALS_UNAVAILABLE",
      message: `imdsgate has no credentials of its own: ${wish} is set, but leads to none; try it with: aws sts get-caller-identity`,
    });
  });

  test("say which step of a single sign-on is missing", async () => {
    const session =
      "sso_account_id = 111122223333\nsso_region = eu-central-1\nsso_role_name = ops\nsso_start_url = https://sso.invalid/start\n";
    await useEnvironment({ AWS_PROFILE: "ops" }, `[profile ops]\n${session}`);
    const dialled = watchDials();
    await expect(sdkCredentials(NOWHERE)()).rejects.toMatchObject({
      code: "BASE_CREDENTIALS_UNAVAILABLE",
      message: expect.stringMatching(/^imdsgate has no credentials of its own: .*aws sso login/),
    });
    expect(dialled).toEqual([]);
  });

  test("of a profile that names IMDS are asked of the upstream, and never by IMDSv1", async () => {
    await useEnvironment(
      { AWS_PROFILE: "ops" },
      "[profile ops]\nrole_arn = arn:aws:iam::111122223333:role/ops\ncredential_source = Ec2InstanceMetadata\n",
    );
    const asked: string[] = [];
    const upstream = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(403).end();
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void upstream.close());
    await once(upstream, "listening");
    const { port } = upstream.address() as AddressInfo;
    const dialled = watchDials();
    await expect(sdkCredentials({ host: "127.0.0.1", port })()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(new Set(dialled)).toEqual(new Set([`127.0.0.1:${port}`]));
    expect(new Set(asked)).toEqual(new Set(["PUT /latest/api/token"]));
  });

  test("are not looked for at IMDS, whatever the environment says of it", async () => {
    await useEnvironment({ AWS_EC2_METADATA_DISABLED: "false", AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1" });
    const dialled = watchDials();
    expect(await sdkCredentials(NOWHERE)()).toBeUndefined();
    expect(dialled).toEqual([]);
  });
});
