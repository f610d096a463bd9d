import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { credentialsOf, roleSeenBy } from "../support/docker-host/metadata.ts";
import { DEBIAN } from "../support/docker-host/own-image.ts";
import { COMPOSE, type Shop, startShop } from "./shop.ts";

const LIMIT_MS = 240_000;
const PYTHON = join(import.meta.dirname, "../../.tools/localstack/bin/python");
const ENDPOINT = "http://10.77.0.254:4566";
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

/** LocalStack itself, run by its Python one hop away from the Docker host, where nothing reaches the Internet. */
async function startLocalStack(host: DockerHost): Promise<void> {
  const settings = {
    GATEWAY_LISTEN: "10.77.0.254:4566",
    SERVICES: "sts,iam,s3",
    DISABLE_EVENTS: "1",
    SKIP_SSL_CERT_DOWNLOAD: "1",
    DNS_ADDRESS: "0",
  };
  const home = { HOME: "/run/localstack", LOCALSTACK_VOLUME_DIR: "/run/localstack", TMPDIR: "/run/localstack" };
  await host.outside.run("mkdir", ["-p", "/run/localstack"]);
  const program = host.outside.start(PYTHON, ["-m", "localstack.runtime.main"], { ...settings, ...home });
  await program.printed(/^Ready\.$/m, 60_000);
}

describe.skipIf(!existsSync(PYTHON) || !existsSync(DEBIAN) || !COMPOSE)("the compose file with LocalStack", { timeout: LIMIT_MS }, () => {
  let host: DockerHost;
  let shop: Shop;
  beforeAll(async () => {
    host = await startDockerHost();
    await startLocalStack(host);
    shop = await startShop(host, ENDPOINT);
  }, LIMIT_MS);
  afterAll(() => host?.stop());

  const callerOf = async (service: string) =>
    (await shop.compose("exec", "-T", service, "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")).trim();

  test("each service has its own role, and one without a binding has none", async () => {
    const seen = async () => Promise.all(["fluentd", "php", "cron"].map((name) => roleSeenBy(host, `shop-${name}-1`)));
    await expect.poll(seen, { timeout: 30_000 }).toEqual([given("fluentd-role"), given("php-role"), NONE]);
  });

  test("its credentials are LocalStack's, and to LocalStack they are that role's", async () => {
    expect((await credentialsOf(host, "shop-php-1", "php-role")).AccessKeyId).toMatch(/^LSIA[A-Z0-9]{16}$/);
    expect(await callerOf("php")).toMatch(/^arn:aws:sts::000000000000:assumed-role\/php-role\/shop-php-1-[0-9a-f]{12}$/);
    expect(await callerOf("fluentd")).toMatch(/^arn:aws:sts::000000000000:assumed-role\/fluentd-role\/shop-fluentd-1-[0-9a-f]{12}$/);
    await expect(callerOf("cron")).rejects.toThrow("Unable to locate credentials");
  });
});
