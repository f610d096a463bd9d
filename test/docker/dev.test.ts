import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { FAKE_MARK } from "../../src/dev/embedded-aws.ts";
import { SIM_INSTANCE } from "../../src/sim/instance-facts.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { imdsgate } from "../support/docker-host/gateway.ts";
import { ask, bodyOf, credentialsOf, requestFor, roleSeenBy } from "../support/docker-host/metadata.ts";
import { startMoto } from "../support/docker-host/moto.ts";
import { DEBIAN } from "../support/docker-host/own-image.ts";
import type { RunningProgram } from "../support/docker-host/running-program.ts";
import { CAN_OTHERS_READ } from "../support/other-users.ts";
import { COMPOSE, startShop } from "./shop.ts";

const LIMIT_MS = 180_000;
const CLI = join(import.meta.dirname, "../../src/cli.ts");
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];

interface DevReady {
  readonly listen: readonly string[];
  readonly rules: string;
  readonly way: string;
  readonly next: readonly string[];
}

let host: DockerHost;
beforeAll(async () => {
  host = await startDockerHost();
  for (const name of ["web", "other"]) await host.docker("run", "--detach", "--name", name, "imdsgate-test");
}, LIMIT_MS);
afterAll(() => host?.stop());

/** Starts it on the Docker host; it is ended with the test. */
async function startDev(
  words: readonly string[],
  before: readonly string[] = [],
): Promise<DevReady & { readonly program: RunningProgram }> {
  const [program = "", ...args] = [
    ...before,
    process.execPath,
    CLI,
    "dev",
    "--log-format",
    "json",
    "--bind",
    "name:web=web-role",
    ...words,
  ];
  const running = host.start(program, args);
  onTestFinished(async () => void (await running.stop("SIGKILL")));
  const [line] = await running.printed(/^\{"event":"ready".*\}$/m);
  return { ...JSON.parse(line), program: running };
}

/** What a container is told when it is pointed to a gateway, which its SDK would do by a variable. */
async function roleAt(endpoint: string, container: string): Promise<string> {
  const [address = "", port = "80"] = endpoint.split(":");
  const script = `exec 3<>/dev/tcp/${address}/${port}; printf 'GET /latest/meta-data/iam/security-credentials/ HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3`;
  return bodyOf(await host.docker("exec", container, "bash", "-c", script));
}

/** The command that imdsgate names, with the image of the tests in place of the registry's. */
function runnable(command = ""): readonly string[] {
  const [, ...words] = command.replace("--name web ", "--name web2 ").replace("amazon/aws-cli", "imdsgate-test aws").split(" ");
  return words;
}

describe("imdsgate dev as root on a machine with Docker", { timeout: LIMIT_MS }, () => {
  test("puts the redirect in: containers have fake credentials of their own roles, the rest is the embedded instance's", async () => {
    const { way, rules, next } = await startDev(["--instance-id", "i-0123456789abcdef0"]);
    onTestFinished(async () => void (await imdsgate(host, "rules", "remove", "--stop-keeper")));
    expect({ way, rules, next }).toEqual({
      way: "redirect",
      rules: "nftables",
      next: ["docker run --rm --name web amazon/aws-cli configure list"],
    });
    await expect.poll(() => roleSeenBy(host, "web"), { timeout: 20_000 }).toEqual(given("web-role"));
    expect(await roleSeenBy(host, "other")).toEqual(NONE);
    const { SecretAccessKey, Token } = await credentialsOf(host, "web", "web-role");
    expect(SecretAccessKey.startsWith(FAKE_MARK)).toBe(true);
    expect(Token).toContain(FAKE_MARK);
    const [id = ""] = await ask(host, "other", [requestFor("/latest/meta-data/instance-id")]);
    expect(bodyOf(id)).toBe("i-0123456789abcdef0");
  });

  test("the command that it names shows the container's credentials", async () => {
    const { next, program } = await startDev(["--bind", "name:web2=web-role", "--http-tokens", "required"]);
    onTestFinished(async () => void (await imdsgate(host, "rules", "remove", "--stop-keeper")));
    const shown = await host.docker(...runnable(next[0]));
    expect(shown).toMatch(/access_key +\*{16}[A-Z0-9]{4} +iam-role/);
    expect(program.stderr()).toContain('"imdsgate.workload":"web2"');
  });
});

describe.skipIf(!CAN_OTHERS_READ)("imdsgate dev as an ordinary user (needs a checkout that others may read)", { timeout: LIMIT_MS }, () => {
  test("listens on Docker's bridge, and proves each container that is pointed there by its own socket", async () => {
    await host.run("chmod", ["0666", "/var/run/docker.sock"]);
    await host.docker("network", "create", "elsewhere");
    await host.docker("run", "--detach", "--name", "far", "--network", "elsewhere", "imdsgate-test");
    const { way, rules, listen, next } = await startDev(["--bind", "name:far=far-role"], NOBODY);
    expect({ way, rules, listen }).toEqual({ way: "endpoint", rules: "none", listen: ["172.17.0.1:18169"] });
    expect(next).toEqual([
      "docker run --rm --name web --env AWS_EC2_METADATA_SERVICE_ENDPOINT=http://172.17.0.1:18169 amazon/aws-cli configure list",
    ]);
    await expect.poll(() => roleAt("172.17.0.1:18169", "web"), { timeout: 20_000 }).toBe("web-role");
    expect(await roleAt("172.17.0.1:18169", "far")).toBe("far-role");
    expect(await roleAt("172.17.0.1:18169", "other")).toContain("404 - Not Found");
    await host.docker("rm", "--force", "web");
    expect(await host.docker(...runnable(next[0]).map((word) => (word === "web2" ? "web" : word)))).toMatch(
      /access_key +\*{16}[A-Z0-9]{4} +iam-role/,
    );
    await host.docker("run", "--detach", "--name", "web", "imdsgate-test");
  });

  test("refuses to guess where Docker does not let it in, and says what can be done", async () => {
    await host.run("chmod", ["0600", "/var/run/docker.sock"]);
    const [program = "", ...args] = [...NOBODY, process.execPath, CLI, "dev", "--bind", "name:web=web-role"];
    const { code, stderr } = await host.attempt(program, args);
    expect(code).toBe(2);
    expect(stderr).toContain("no container could be told from another, and none is given a role by guessing");
    expect(stderr).toContain("/var/run/docker.sock");
  });
});

describe.skipIf(!existsSync(DEBIAN) || !COMPOSE)("the compose file with LocalStack's place taken by moto", { timeout: LIMIT_MS }, () => {
  test("imdsgate owns 169.254.169.254 on its network without a rule or a capability, and each service has its own role", async () => {
    const moto = await startMoto(host);
    // moto, which has IAM enforced, takes nobody's keys but the host's.
    const { compose } = await startShop(host, moto.endpoint, moto.hostKeys);
    const seen = async () => Promise.all(["fluentd", "php", "cron"].map((name) => roleSeenBy(host, `shop-${name}-1`)));
    await expect.poll(seen, { timeout: 30_000 }).toEqual([given("fluentd-role"), given("php-role"), NONE]);
    const caller = await compose("exec", "-T", "php", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text");
    expect(caller.trim()).toMatch(/^arn:aws:sts::123456789012:assumed-role\/php-role\/shop-php-1-[0-9a-f]{12}$/);
    const [id = ""] = await ask(host, "shop-cron-1", [requestFor("/latest/meta-data/instance-id")]);
    expect(bodyOf(id)).toBe(SIM_INSTANCE.instanceId);
    expect(await compose("logs", "--no-log-prefix", "imdsgate")).toContain('"way":"owner"');
    const capabilities = await host.docker("exec", "shop-imdsgate-1", "grep", "-h", "CapEff", "/proc/1/status");
    expect(capabilities).toBe("CapEff:\t0000000000000000");
  });
});
