import { afterAll, beforeAll, expect, test } from "vitest";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { type RunningGateway, startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { ask, bodyOf, credentialsOf, firstAction, requestFor, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const CANARY = "Canary0fTheTests";
const BINDINGS = [
  "compose:shop/web=web-role",
  "compose:shop/worker=worker-role",
  "name:two=two-role",
  "name:late*=late-role",
  "label:team=six=six-role",
];
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });

let host: DockerHost;
let gateway: RunningGateway;

beforeAll(async () => {
  host = await startDockerHost();
  await startRealImds(host);
  const sts = await startSts(host, CANARY);
  await host.docker("network", "create", "shop_front");
  await host.docker("network", "create", "shop_back");
  await host.docker("network", "create", "--ipv6", "--subnet", "fd88:1::/64", "six");
  await start("web", "--network", "shop_front", ...composeLabels("shop", "web"));
  await start("worker", "--network", "shop_back", ...composeLabels("shop", "worker"));
  await start("other", "--network", "shop_back", ...composeLabels("other", "web"));
  await start("two", "--network", "shop_front");
  await host.docker("network", "connect", "shop_back", "two");
  const flags = ["--account", "123456789012", "--sts-endpoint", sts, "--log-level", "debug"];
  gateway = await startGateway(host, [...BINDINGS.flatMap((binding) => ["--bind", binding]), ...flags]);
}, LIMIT_MS);
afterAll(() => host.stop());

test("services of a Compose project have their own roles, each on its own network", { timeout: LIMIT_MS }, async () => {
  expect(await roleSeenBy(host, "web")).toEqual(given("web-role"));
  expect(await roleSeenBy(host, "worker")).toEqual(given("worker-role"));
  expect(await roleSeenBy(host, "other")).toEqual({ status: "HTTP/1.1 404 Not Found", role: "" });
});

test("a container on two networks is itself from either address", { timeout: LIMIT_MS }, async () => {
  const template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
  const addresses = (await host.docker("inspect", "--format", template, "two")).trim().split(" ");
  expect(addresses.length).toBe(2);
  for (const source of addresses) expect(await roleSeenBy(host, "two", { address: "169.254.169.254", source })).toEqual(given("two-role"));
});

test("a container that joins a second network later is itself there too", { timeout: LIMIT_MS }, async () => {
  await start("late-joiner", "--network", "shop_front");
  await host.docker("network", "connect", "shop_back", "late-joiner");
  const source = await host.docker("inspect", "--format", "{{.NetworkSettings.Networks.shop_back.IPAddress}}", "late-joiner");
  expect(await roleSeenBy(host, "late-joiner", { address: "169.254.169.254", source })).toEqual(given("late-role"));
});

test("a container asks over IPv6", { timeout: LIMIT_MS }, async () => {
  await start("six", "--network", "six", "--label", "team=six");
  expect(await roleSeenBy(host, "six", { address: "fd00:ec2::254", source: "" })).toEqual(given("six-role"));
});

test("a container started after the daemon has its role with its very first packet", { timeout: LIMIT_MS }, async () => {
  for (let number = 0; number < 5; number += 1) {
    const output = await host.docker("run", "--rm", "--name", `late-${number}`, "imdsgate-test", ...firstAction(1));
    expect(seenFirst(output).seen).toEqual([given("late-role")]);
  }
});

test("several containers started at once each have their own role with their first packets", { timeout: LIMIT_MS }, async () => {
  const run = (name: string, ...options: string[]) =>
    host.docker("run", "--rm", "--name", name, ...options, "imdsgate-test", ...firstAction(3));
  const outputs = await Promise.all([
    run("late-one"),
    run("shop-web", ...composeLabels("shop", "web")),
    run("shop-worker", "--network", "shop_back", ...composeLabels("shop", "worker")),
    run("nobody"),
  ]);
  const seen = outputs.map((output) => seenFirst(output).seen.map(({ role }) => role));
  expect(seen).toEqual(["late-role", "web-role", "worker-role", ""].map((role) => [role, role, role]));
});

test("no secret and no token is in anything that the gateway printed, though containers were given them", {
  timeout: LIMIT_MS,
}, async () => {
  const document = await credentialsOf(host, "web", "web-role");
  const headers = ["X-aws-ec2-metadata-token-ttl-seconds: 600"];
  const [answer = ""] = await ask(host, "web", [requestFor("/latest/api/token", headers, "PUT")]);
  const imdsToken = bodyOf(answer);
  await ask(host, "web", [requestFor("/latest/meta-data/iam/security-credentials/web-role", [`X-aws-ec2-metadata-token: ${imdsToken}`])]);

  const { secretAccessKey, sessionToken } = SIM_INSTANCE_ROLE.credentials;
  const secrets = [CANARY, document.SecretAccessKey, document.Token, imdsToken, secretAccessKey, sessionToken];
  const found = (text: string) => secrets.filter((secret) => text.includes(secret));
  expect(imdsToken.length).toBeGreaterThan(20);
  expect(found(JSON.stringify(document))).toEqual([CANARY, document.SecretAccessKey, document.Token]);

  const { code, stdout, stderr } = await gateway.program.stop();
  expect(code).toBe(0);
  expect(stderr).toContain(document.AccessKeyId);
  expect(found(stdout + stderr)).toEqual([]);
});

async function start(name: string, ...options: readonly string[]): Promise<void> {
  await host.docker("run", "--detach", "--name", name, ...options, "imdsgate-test");
}

function composeLabels(project: string, service: string): readonly string[] {
  return ["--label", `com.docker.compose.project=${project}`, "--label", `com.docker.compose.service=${service}`];
}
