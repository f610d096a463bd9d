import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compose, composesHere } from "../support/compose.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { roleSeenBy } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const BINDINGS = ["compose:shop/web=web-role", "compose:shop/*=rest-role"];
const SHOP = `
services:
  web: { image: imdsgate-test }
  worker: { image: imdsgate-test, networks: [back] }
networks: { back: {} }
`;
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

const composes = composesHere();

describe.skipIf(composes.length === 0)(`with Docker Compose (${composes.length === 0 ? "not installed" : "real"})`, () => {
  let host: DockerHost;

  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "secret");
    await startGateway(host, [...BINDINGS.flatMap((binding) => ["--bind", binding]), "--account", "123456789012", "--sts-endpoint", sts]);
  }, LIMIT_MS);
  afterAll(() => host?.stop());

  describe.for(composes)("$name", (compose) => {
    afterAll(() => Promise.all(["shop", "other"].map((project) => run(host, compose, project, "down", "--timeout", "0"))), LIMIT_MS);

    test("each instance of a service that is scaled has its service's role", { timeout: LIMIT_MS }, async () => {
      await run(host, compose, "shop", "up", "--detach", "--scale", "web=3");
      const webs = await containersOf(host, "shop", "web");
      expect(webs.length).toBe(3);
      expect(await Promise.all(webs.map((name) => roleSeenBy(host, name)))).toEqual(webs.map(() => given("web-role")));
      const workers = await containersOf(host, "shop", "worker");
      expect(await Promise.all(workers.map((name) => roleSeenBy(host, name)))).toEqual([given("rest-role")]);
    });

    test("the same service of another project has none", { timeout: LIMIT_MS }, async () => {
      await run(host, compose, "other", "up", "--detach", "web");
      const webs = await containersOf(host, "other", "web");
      expect(await Promise.all(webs.map((name) => roleSeenBy(host, name)))).toEqual([NONE]);
    });

    test("instances that were scaled away and come again, or are made anew, have it too", { timeout: LIMIT_MS }, async () => {
      await run(host, compose, "shop", "up", "--detach", "--timeout", "0", "--scale", "web=1");
      await run(host, compose, "shop", "up", "--detach", "--timeout", "0", "--force-recreate", "--scale", "web=2");
      const webs = await containersOf(host, "shop", "web");
      expect(webs.length).toBe(2);
      expect(await Promise.all(webs.map((name) => roleSeenBy(host, name)))).toEqual([given("web-role"), given("web-role")]);
    });
  });
});

function run(host: DockerHost, { path }: Compose, project: string, ...args: readonly string[]): Promise<string> {
  return host.run(path, ["--file", "-", "--project-directory", "/run", "--project-name", project, ...args], SHOP);
}

/** The names of a service's running containers. */
async function containersOf(host: DockerHost, project: string, service: string): Promise<readonly string[]> {
  const labels = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
  const listed = await host.docker("ps", "--format", "{{.Names}}", ...labels.flatMap((label) => ["--filter", `label=${label}`]));
  return listed.split("\n").filter((name) => name !== "");
}
