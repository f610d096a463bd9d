import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { BaseCredentials } from "../../src/credentials/assume-role.ts";
import { type RunningProgram, runProgram, startProgram } from "../support/docker-host/running-program.ts";
import { type Moto, startMoto } from "./moto.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");
const AWS = join(import.meta.dirname, "../../.tools/venv/bin/aws");

let moto: Moto;
let host: BaseCredentials & { readonly arn: string };

beforeAll(async () => {
  moto = await startMoto();
  host = await moto.user("developer");
  await moto.role("web", [{ Effect: "Allow", Principal: { AWS: host.arn }, Action: "sts:AssumeRole" }]);
});
afterAll(() => moto.stop());

interface Dev {
  readonly program: RunningProgram;
  /** Where programs of this machine are pointed to. */
  readonly imds: string;
  readonly sts: string;
}

/** Starts it for programs of this machine, which needs neither Docker nor root. It is ended with the test. */
async function startDev(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Dev> {
  const args = [
    "dev",
    "--runtime",
    "none",
    "--workload",
    "app=127.0.0.1",
    "--listen",
    "127.0.0.1:0",
    "--default-role",
    "web",
    "--log-format",
    "json",
  ];
  const program = startProgram({ program: process.execPath, args: [CLI, ...args, "--sts-endpoint", moto.endpoint, ...words], env });
  onTestFinished(async () => void (await program.stop("SIGKILL")));
  const [line] = await program.printed(/^\{"event":"ready".*\}$/m);
  const { listen, sts } = JSON.parse(line);
  return { program, imds: `http://${listen[0]}`, sts };
}

/** Who the AWS CLI is to moto, with what the metadata service gives it and nothing else. */
function callerBehind(imds: string): Promise<string> {
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds, AWS_DEFAULT_REGION: "eu-west-1", AWS_ENDPOINT_URL: moto.endpoint };
  return runProgram({ program: AWS, args: ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"], env });
}

const ASSUMED = "arn:aws:sts::123456789012:assumed-role/web/app\n";

describe("imdsgate dev --aws with IAM enforced", () => {
  test("assumes the role with the developer's keys from the environment", async () => {
    const env = { AWS_ACCESS_KEY_ID: host.accessKeyId, AWS_SECRET_ACCESS_KEY: host.secretAccessKey };
    const { imds, sts } = await startDev(["--aws"], env);
    expect(sts).toBe(`${moto.endpoint}, asked with your own keys`);
    expect(await callerBehind(imds)).toBe(ASSUMED);
  });

  test("assumes it with the keys of the developer's profile", async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-profile-"));
    const file = join(folder.path, "credentials");
    writeFileSync(file, `[me]\naws_access_key_id = ${host.accessKeyId}\naws_secret_access_key = ${host.secretAccessKey}\n`);
    const { imds, program } = await startDev(["--aws"], { AWS_PROFILE: "me", AWS_SHARED_CREDENTIALS_FILE: file });
    expect(await callerBehind(imds)).toBe(ASSUMED);
    expect(program.stderr()).toContain('"imdsgate.source":"profile"');
  });

  test("has no role to give where the developer has no keys, and says so: it never tries those of the embedded instance", async () => {
    const { imds, program } = await startDev(["--aws", "--account", "123456789012"], {});
    await program.printed(/--aws found no keys of yours/);
    await expect(callerBehind(imds)).rejects.toThrow();
    expect(program.stderr()).not.toContain("ASIAHOST");
  });
});

test("without --aws a stand-in for STS is not told the developer's keys, though they are in the environment", async () => {
  const env = { AWS_ACCESS_KEY_ID: host.accessKeyId, AWS_SECRET_ACCESS_KEY: host.secretAccessKey };
  const { program } = await startDev([], env);
  await program.printed(/"imdsgate\.access_key_id":"ASIAHOSTHOSTHOSTHOST"/);
  // moto, which has IAM enforced, refuses them: another AWS's keys would have been taken.
  await program.printed(/STS refused imdsgate's own credentials/);
  expect(program.stderr()).not.toContain(host.accessKeyId);
});
