import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startProgram, tryProgram } from "../support/docker-host/running-program.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");
/** As root too it then puts in no rule. */
const LOOPBACK = ["--runtime", "none", "--workload", "app=127.0.0.1", "--listen", "127.0.0.1:0"];

/** Starts `imdsgate dev` for a program of this machine, and gives what it prints until it is stopped. */
async function startDev(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = startProgram({ program: process.execPath, args: [CLI, "dev", ...LOOPBACK, ...words], env });
  onTestFinished(async () => void (await program.stop("SIGKILL")));
  const [, port = "0"] = await program.printed(/ready 127\.0\.0\.1:(\d+) rules=none\n(?:.*\n)*try .*\n/);
  return { program, port, url: `http://127.0.0.1:${port}/latest` };
}

const textAt = async (url: string, init?: RequestInit) => (await fetch(url, init)).text();

describe("imdsgate dev for a program of this machine", () => {
  test("says which way it chose and why, whose credentials these are and what to type next", async () => {
    const { program, port } = await startDev(["--default-role", "web-role"]);
    expect(program.stdout()).toBe(
      [
        `ready 127.0.0.1:${port} rules=none`,
        "way   loopback: programs are pointed here by AWS_EC2_METADATA_SERVICE_ENDPOINT; everybody on this machine can ask",
        "why   the workload app has a loopback address",
        "sts   embedded: its credentials are fake, and no AWS takes them",
        `try   AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:${port} aws configure list`,
        "",
      ].join("\n"),
    );
    expect(await program.stop()).toMatchObject({ code: 0 });
  });

  test("gives fake credentials in the instance's account, and the facts that were asked for, with IMDSv2 alone", async () => {
    const facts = ["--account", "999999999999", "--region", "eu-west-3", "--instance-id", "i-0123"];
    const { url } = await startDev(["--default-role", "web-role", "--http-tokens", "required", ...facts]);
    expect((await fetch(`${url}/meta-data/instance-id`)).status).toBe(401);
    const token = await textAt(`${url}/api/token`, { method: "PUT", headers: { "X-aws-ec2-metadata-token-ttl-seconds": "60" } });
    const headers = { "X-aws-ec2-metadata-token": token };
    const document = JSON.parse(await textAt(`${url}/dynamic/instance-identity/document`, { headers }));
    expect(document).toMatchObject({
      accountId: "999999999999",
      instanceId: "i-0123",
      region: "eu-west-3",
      availabilityZone: "eu-west-3a",
    });
    const credentials = JSON.parse(await textAt(`${url}/meta-data/iam/security-credentials/web-role`, { headers }));
    expect(credentials).toMatchObject({ Code: "Success", SecretAccessKey: expect.stringMatching(/^FAKE\+imdsgate\+dev\+/) });
    expect(JSON.parse(await textAt(`${url}/meta-data/iam/info`, { headers })).InstanceProfileArn).toContain(":999999999999:");
  });

  test("a program without a role has none: the embedded instance's own is for nobody", async () => {
    const { url } = await startDev([]);
    expect((await fetch(`${url}/meta-data/iam/security-credentials/`)).status).toBe(404);
    expect((await fetch(`${url}/meta-data/iam/security-credentials/host-role`)).status).toBe(404);
  });
});

test.for([
  {
    what: "another metadata service",
    words: [],
    env: { IMDSGATE_UPSTREAM: "http://10.0.0.1" },
    says: "dev has a metadata service of its own",
  },
  { what: "an instance id that is none", words: ["--instance-id", "web"], env: {}, says: '--instance-id: "web" is no instance id' },
  { what: "a flag of run that it has not", words: ["--upstream", "http://10.0.0.1"], env: {}, says: "Unknown argument: upstream" },
])("$what is refused with 2", async ({ words, env, says }) => {
  const { code, stdout, stderr } = await tryProgram({ program: process.execPath, args: [CLI, "dev", ...LOOPBACK, ...words], env });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(says);
});

test("its help has three examples, and every setting of run but the upstream", async () => {
  const helpOf = async (command: string) => (await tryProgram({ program: process.execPath, args: [CLI, command, "--help"] })).stdout;
  const [dev, run] = await Promise.all([helpOf("dev"), helpOf("run")]);
  const flagsIn = (help: string) => new Set([...help.matchAll(/^ +(?:-h, )?(--[a-z0-9-]+)/gm)].map(([, flag = ""]) => flag));
  expect(dev.slice(dev.indexOf("Examples:")).match(/imdsgate dev /g)).toHaveLength(3);
  const more = ["--aws", "--http-tokens", "--instance", "--instance-id"];
  expect([...flagsIn(dev)].sort()).toEqual([...[...flagsIn(run)].filter((flag) => flag !== "--upstream"), ...more].sort());
});
