import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerHost, startPodmanHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";
import { type LoggedAnswer, loggedAnswers, ROLE_ASKER, wrongAnswers } from "../support/docker-host/role-asker.ts";
import type { RunningProgram } from "../support/docker-host/running-program.ts";
import { podmanObstacle } from "../support/podman.ts";

const LIMIT_MS = 120_000;
const POD_ROUNDS = 8;
const POD_ASKED = 5;
const BINDINGS = [
  "network:late=late-role",
  "network:six=six-role",
  "name:red-*=red-role",
  "name:blue-*=blue-role",
  "label:team=green=green-role",
  "compose:shop/web=web-role",
];
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

const obstacle = podmanObstacle();

describe.skipIf(obstacle !== undefined)(`with Podman's API in the place of Docker's (${obstacle ?? "netavark"})`, () => {
  let host: DockerHost;

  beforeAll(async () => {
    host = await startPodmanHost();
    await startRealImds(host);
    const sts = await startSts(host, "secret");
    await host.docker("network", "create", "--subnet", "10.90.0.0/24", "shop");
    await host.docker("network", "create", "--subnet", "10.91.0.0/24", "late");
    await host.docker("network", "create", "--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd88:1:2::/64", "six");
    await start(host, "red-before", "--network", "shop");
    const flags = ["--runtime", "podman", "--account", "123456789012", "--sts-endpoint", sts];
    await startGateway(host, [...BINDINGS.flatMap((binding) => ["--bind", binding]), ...flags]);
  }, LIMIT_MS);
  afterAll(() => host?.stop());

  test("containers have their own roles, on Podman's own network and on others", { timeout: LIMIT_MS }, async () => {
    await start(host, "green", "--label", "team=green");
    await start(host, "web", "--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=web");
    await start(host, "nobody", "--network", "shop");
    expect(await roleSeenBy(host, "red-before")).toEqual(given("red-role"));
    expect(await roleSeenBy(host, "green")).toEqual(given("green-role"));
    expect(await roleSeenBy(host, "web")).toEqual(given("web-role"));
    expect(await roleSeenBy(host, "nobody")).toEqual(NONE);
  });

  test("a container asks over IPv6", { timeout: LIMIT_MS }, async () => {
    await start(host, "six", "--network", "six");
    expect(await roleSeenBy(host, "six", { address: "fd00:ec2::254", source: "" })).toEqual(given("six-role"));
    expect(await roleSeenBy(host, "six")).toEqual(given("six-role"));
  });

  test("a container has its role with its very first packets", { timeout: LIMIT_MS }, async () => {
    const outputs = await Promise.all(
      ["red-first", "blue-first", "other-first"].map((name) =>
        host.docker("run", "--rm", "--name", name, "--network", "shop", "imdsgate-test", ...firstAction(3)),
      ),
    );
    const seen = outputs.map((output) => seenFirst(output).seen.map(({ role }) => role));
    expect(seen).toEqual(["red-role", "blue-role", ""].map((role) => [role, role, role]));
  });

  test("a container that joins a network later is itself there too, and is bound by it", { timeout: LIMIT_MS }, async () => {
    await start(host, "joiner", "--network", "shop");
    expect(await roleSeenBy(host, "joiner")).toEqual(NONE);
    await host.docker("network", "connect", "late", "joiner");
    const source = await host.docker("inspect", "--format", "{{.NetworkSettings.Networks.late.IPAddress}}", "joiner");
    const seen = () => roleSeenBy(host, "joiner", { address: "169.254.169.254", source });
    await expect.poll(seen, { timeout: 30_000 }).toEqual(given("late-role"));
  });

  test("a container that left the network that bound it has lost the role with it", { timeout: LIMIT_MS }, async () => {
    await start(host, "leaver", "--network", "late", "--network", "shop");
    const seen = () => roleSeenBy(host, "leaver");
    await expect.poll(seen, { timeout: 30_000 }).toEqual(given("late-role"));
    await host.docker("network", "disconnect", "late", "leaver");
    // Podman's event comes after its command has ended.
    await expect.poll(seen, { timeout: 30_000 }).toEqual(NONE);
  });

  test("the containers of a pod that are bound alike have their role", { timeout: LIMIT_MS }, async () => {
    const infra = ["--infra-image", "imdsgate-test", "--infra-command", "sleep infinity", "--infra-name", "red-infra"];
    await host.docker("pod", "create", "--name", "pod", "--network", "shop", ...infra);
    await start(host, "red-one", "--pod", "pod");
    await start(host, "red-two", "--pod", "pod");
    expect([await roleSeenBy(host, "red-one"), await roleSeenBy(host, "red-two")]).toEqual([given("red-role"), given("red-role")]);
  });

  test("in a pod whose containers are bound otherwise none is given the role of another, from the first packets on", {
    timeout: LIMIT_MS,
  }, async () => {
    const infra = ["--infra-image", "imdsgate-test", "--infra-command", "sleep infinity", "--infra-name", "blue-infra"];
    await host.docker("pod", "create", "--name", "mixed", "--network", "shop", ...infra);
    await start(host, "blue-mixed", "--pod", "mixed");
    await expect.poll(() => roleSeenBy(host, "blue-mixed"), { timeout: 10_000 }).toEqual(given("blue-role"));
    for (let round = 0; round < POD_ROUNDS; round += 1) {
      const { seen } = seenFirst(
        await host.docker("run", "--name", `red-${round}`, "--pod", "mixed", "imdsgate-test", ...firstAction(POD_ASKED)),
      );
      expect(seen.filter(({ role }) => role !== "red-role" && role !== "")).toEqual([]);
      expect(seen.length).toBe(POD_ASKED);
    }
    await start(host, "red-mixed", "--pod", "mixed");
    for (let round = 0; round < 3; round += 1) {
      expect(["blue-role", ""]).toContain((await roleSeenBy(host, "blue-mixed")).role);
      expect(["red-role", ""]).toContain((await roleSeenBy(host, "red-mixed")).role);
    }
  });

  test("forty containers take each other's addresses at once, and each has its own role alone", { timeout: LIMIT_MS }, async () => {
    const lives = (await Promise.all([0, 1, 2, 3].map((lane) => churnOneAddress(host, lane, 10)))).flat();
    expect(lives.length).toBe(40);
    expect(lives.flatMap(({ role, answers }) => wrongAnswers(role, answers))).toEqual([]);
    // else nothing was tried: each lived at its lane's address, and each with a role was given it
    expect(lives.filter(({ address, answers }) => answers.some(({ addresses }) => addresses.includes(address))).length).toBe(40);
    expect(lives.filter(({ role, answers }) => answers.some((answer) => answer.role === role && answer.status.includes("200")))).toEqual(
      lives.filter(({ role }) => role !== ""),
    );
    // and a wrong one would be seen: told of each other, as neighbours in time, they are all wrong
    const mixedUp = lives.flatMap(({ answers }, index) => wrongAnswers(lives[(index + 1) % lives.length]?.role ?? "", answers));
    expect(mixedUp.length).toBeGreaterThan(40);
  });
});

const COLOURS = [
  { name: "red", role: "red-role" },
  { name: "blue", role: "blue-role" },
  { name: "none", role: "" },
];

interface Life {
  readonly role: string;
  readonly address: string;
  readonly answers: readonly LoggedAnswer[];
}

/** One container after the other at one address: each is killed while it asks, and its successor of another colour starts in the same breath. */
async function churnOneAddress(host: DockerHost, lane: number, count: number): Promise<readonly Life[]> {
  const address = `10.90.0.${200 + lane}`;
  const lives: { readonly role: string; readonly name: string; readonly program: RunningProgram }[] = [];
  for (let number = 0; number < count; number += 1) {
    const { name: colour, role } = COLOURS[(lane + number) % COLOURS.length] ?? { name: "none", role: "" };
    const name = `${colour}-churn-${lane}-${number}`;
    const options = ["--name", name, "--network", "shop", "--ip", address, "--env", "PAUSE_SECONDS=0.02"];
    await host.docker("create", ...options, "imdsgate-test", ...ROLE_ASKER);
    const removal = number === 0 ? "true" : `podman rm --force --time 0 ${lives.at(-1)?.name} >/dev/null`;
    const program = host.start("bash", ["-c", `${removal}; exec podman start --attach ${name}`]);
    lives.push({ role, name, program });
    await program.printed(/(?:.*\t.*\n){8}/);
  }
  await host.docker("rm", "--force", "--time", "0", lives.at(-1)?.name ?? "");
  return Promise.all(lives.map(async ({ role, program }) => ({ role, address, answers: loggedAnswers((await program.ended()).stdout) })));
}

async function start(host: DockerHost, name: string, ...options: readonly string[]): Promise<void> {
  await host.docker("run", "--detach", "--name", name, ...options, "imdsgate-test");
}
