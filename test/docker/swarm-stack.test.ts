import { copyFileSync, mkdirSync, mkdtempDisposableSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DockerHost } from "../support/docker-host/docker-host.ts";
import { startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { roleSeenBy } from "../support/docker-host/metadata.ts";
import { type Swarm, startSwarm } from "../support/swarm.ts";

const LIMIT_MS = 180_000;
const ROOT = join(import.meta.dirname, "../..");
const STACK = join(ROOT, "packaging/fleet/swarm.yaml");
/** What the image would bring is here the machine's own, bound read-only; everything else is the stack file's. */
const BOUND = ["/usr", "/etc/alternatives", ROOT];
const ENTRYPOINT = ["--change", `ENTRYPOINT ${JSON.stringify([process.execPath, join(ROOT, "src/cli.ts")])}`];
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });

let folder: ReturnType<typeof mkdtempDisposableSync>;
let swarm: Swarm;
let sts: string;

beforeAll(async () => {
  folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-stack-"));
  swarm = await startSwarm(3);
  await startRealImds(swarm.manager);
  sts = await startSts(swarm.manager, "secret");
  await Promise.all(swarm.hosts.map(importImage));
  copyFileSync(STACK, join(folder.path, "swarm.yaml"));
  await deploy("1", { role: "web-role", sts });
  await Promise.all(swarm.hosts.map((host) => gatewaysReady(host, 1)));
}, LIMIT_MS);
afterAll(async () => {
  await swarm?.stop();
  folder[Symbol.dispose]();
});

test("the stack file puts a gateway on each node, and containers there have their roles", { timeout: LIMIT_MS }, async () => {
  for (const host of swarm.hosts) {
    await host.docker("run", "--detach", "--name", "web", "imdsgate-test");
    await host.docker("run", "--detach", "--name", "other", "imdsgate-test");
    expect([await roleSeenBy(host, "web"), (await roleSeenBy(host, "other")).role]).toEqual([given("web-role"), ""]);
  }
  const [host] = swarm.hosts;
  const inspected = await host?.docker(
    "inspect",
    "--format",
    "{{.HostConfig.NetworkMode}} {{.HostConfig.CapAdd}} {{.HostConfig.ReadonlyRootfs}}",
    await gatewayOf(host),
  );
  expect(inspected).toMatch(/^host \[(?:CAP_)?NET_ADMIN\] true$/);
});

test("what remains: in a cgroup namespace of its own it does not see containers with the host's network, and they have the host's role", {
  timeout: LIMIT_MS,
}, async () => {
  await swarm.manager.docker("run", "--detach", "--name", "on-the-host", "--network", "host", "imdsgate-test");
  expect(await roleSeenBy(swarm.manager, "on-the-host")).toEqual(given("host-role"));
});

test("another policy is another config: tasks are replaced, and no container sees the host's role meanwhile", {
  timeout: LIMIT_MS,
}, async () => {
  await deploy("2", { role: "other-role", sts });
  const seen = new Set<string>();
  const [host] = swarm.hosts;
  if (!host) throw new Error("there is no host");
  for (const end = performance.now() + LIMIT_MS / 2; performance.now() < end && !seen.has("other-role"); await delay(100)) {
    seen.add(
      await roleSeenBy(host, "web").then(
        ({ role }) => role,
        () => "",
      ),
    );
  }
  expect([...seen].filter((role) => role !== "").toSorted()).toEqual(["other-role", "web-role"]);
});

/** An image without a file: the folders that others are bound to. */
async function importImage(host: DockerHost): Promise<void> {
  using tree = mkdtempDisposableSync(join(tmpdir(), "imdsgate-image-"));
  for (const path of ["etc/imdsgate", "run", "var", "host/proc", "tmp", "proc", "sys", "dev", ...BOUND.map((bound) => bound.slice(1))]) {
    mkdirSync(join(tree.path, path), { recursive: true });
  }
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(tree.path, name));
  symlinkSync("../run", join(tree.path, "var/run"));
  await host.run("bash", [
    "-c",
    'tree=$1; shift; tar -C "$tree" -cf - . | docker import "$@" - imdsgate-stack:1',
    "-",
    tree.path,
    ...ENTRYPOINT,
  ]);
}

/** Deploys a policy beside the stack file, by which alone it is found. */
async function deploy(version: string, { role, sts: stsEndpoint }: { readonly role: string; readonly sts: string }): Promise<void> {
  writeFileSync(join(folder.path, "imdsgate.yaml"), JSON.stringify({ bind: [`name:web=${role}`], account: "123456789012", stsEndpoint }));
  const volumes = BOUND.map((path) => ({ type: "bind", source: path, target: path, read_only: true }));
  writeFileSync(join(folder.path, "bound.yaml"), JSON.stringify({ version: "3.8", services: { gateway: { volumes } } }));
  const variables = ["IMDSGATE_IMAGE=imdsgate-stack:1", `IMDSGATE_POLICY_VERSION=${version}`];
  const files = ["swarm.yaml", "bound.yaml"].flatMap((name) => ["--compose-file", join(folder.path, name)]);
  await swarm.manager.run("env", [...variables, "docker", "stack", "deploy", "--resolve-image", "never", ...files, "imdsgate"]);
}

function gatewayOf(host: DockerHost): Promise<string> {
  return host.docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=imdsgate_gateway");
}

/** Waits until the gateway of a node has said so often that it is ready. */
async function gatewaysReady(host: DockerHost, times: number): Promise<void> {
  let log = "";
  for (const end = performance.now() + LIMIT_MS / 2; performance.now() < end; await delay(250)) {
    const id = await gatewayOf(host);
    log = id === "" ? "" : await host.docker("logs", id);
    if (log.split('"event":"ready"').length > times) return;
  }
  throw new Error(
    `the gateway of a node is not ready: ${log} ${await host.docker("service", "ps", "--no-trunc", "imdsgate_gateway").catch(String)}`,
  );
}
