import { afterAll, beforeAll, expect, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const ROUNDS = 6;
const BINDINGS = ["network:payments=payments-role", "name:pair-*=pair-role", "name:left*=left-role", "name:right*=right-role"];
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

let host: DockerHost;

beforeAll(async () => {
  host = await startDockerHost();
  await startRealImds(host);
  const sts = await startSts(host, "secret");
  await host.docker("network", "create", "--subnet", "10.90.0.0/24", "front");
  await host.docker("network", "create", "--subnet", "10.91.0.0/24", "back");
  await host.docker("network", "create", "--subnet", "10.92.0.0/24", "payments");
  await host.docker("network", "create", "--ipv6", "--subnet", "10.93.0.0/24", "--subnet", "fd88:1:3::/64", "six");
  await startGateway(host, [...BINDINGS.flatMap((binding) => ["--bind", binding]), "--account", "123456789012", "--sts-endpoint", sts]);
}, LIMIT_MS);
afterAll(() => host?.stop());

test("two containers in one network namespace that are bound alike have their role", { timeout: LIMIT_MS }, async () => {
  await start("pair-one", "--network", "front");
  await start("pair-two", "--network", "container:pair-one");
  expect([await roleSeenBy(host, "pair-one"), await roleSeenBy(host, "pair-two")]).toEqual([given("pair-role"), given("pair-role")]);
});

test("of two that are bound otherwise none is given the role of the other, from the joiner's first packets on", {
  timeout: LIMIT_MS,
}, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [owner, joiner] = [`left-${round}`, `right-${round}`];
    await start(owner, "--network", "front");
    expect(await roleSeenBy(host, owner)).toEqual(given("left-role"));
    await host.docker("create", "--name", joiner, "--network", `container:${owner}`, "imdsgate-test", ...firstAction(5));
    // it has no process in between, and is the same joiner at its second start
    for (let life = 0; life < 2; life += 1) {
      const { seen } = seenFirst(await host.docker("start", "--attach", joiner));
      expect(seen.filter(({ role }) => role !== "right-role" && role !== "")).toEqual([]);
      expect(seen.length).toBe(5);
    }
    await host.docker("rm", "--force", owner, joiner);
  }
});

test("nor who joins a joiner, also when that one has gone", { timeout: LIMIT_MS }, async () => {
  await start("left-first", "--network", "front");
  await start("left-second", "--network", "container:left-first");
  expect(await roleSeenBy(host, "left-second")).toEqual(given("left-role"));
  await start("right-third", "--network", "container:left-second");
  const isNotLeft = async () => expect(["right-role", ""]).toContain((await roleSeenBy(host, "right-third")).role);
  await isNotLeft();
  await host.docker("stop", "--time", "0", "left-second");
  await isNotLeft();
  await host.docker("rm", "left-second");
  await isNotLeft();
  await host.docker("rm", "--force", "right-third");
  expect(await roleSeenBy(host, "left-first")).toEqual(given("left-role"));
});

test("once both are known, each is itself or nobody, the one without a binding too", { timeout: LIMIT_MS }, async () => {
  await start("left", "--network", "front");
  await start("right", "--network", "container:left");
  expect(["left-role", ""]).toContain((await roleSeenBy(host, "left")).role);
  expect(["right-role", ""]).toContain((await roleSeenBy(host, "right")).role);
  await host.docker("rm", "--force", "right");
  await start("unbound", "--network", "container:left");
  expect(["left-role", ""]).toContain((await roleSeenBy(host, "left")).role);
  expect((await roleSeenBy(host, "unbound")).role).toBe("");
});

test("the one that stays has its role again when the other has gone", { timeout: LIMIT_MS }, async () => {
  await start("left-staying", "--network", "front");
  await start("right-going", "--network", "container:left-staying");
  await host.docker("rm", "--force", "right-going");
  expect(await roleSeenBy(host, "left-staying")).toEqual(given("left-role"));
});

test("processes that docker exec starts are the container's, as another user too", { timeout: LIMIT_MS }, async () => {
  await start("left-exec", "--network", "front");
  for (const option of [[], ["--user", "65534"], ["--env", "HOSTNAME=right"]]) {
    const output = await host.docker("exec", ...option, "left-exec", ...firstAction(1));
    expect(seenFirst(output).seen).toEqual([given("left-role")]);
  }
});

test("a container is itself from each of its addresses, IPv6 ones too", { timeout: LIMIT_MS }, async () => {
  await start("left-many", "--network", "front");
  for (const network of ["back", "six"]) await host.docker("network", "connect", network, "left-many");
  const template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}";
  const addresses = (await host.docker("inspect", "--format", template, "left-many")).split(" ").filter((address) => address !== "");
  expect(addresses.length).toBe(4);
  for (const source of addresses) {
    const address = source.includes(":") ? "fd00:ec2::254" : "169.254.169.254";
    expect(await roleSeenBy(host, "left-many", { address, source })).toEqual(given("left-role"));
  }
});

test("a network that is joined and left at run time binds as long as the container is on it", { timeout: LIMIT_MS }, async () => {
  await start("left-visitor", "--network", "front");
  for (let round = 0; round < ROUNDS; round += 1) {
    expect(await roleSeenBy(host, "left-visitor")).toEqual(given("left-role"));
    await host.docker("network", "connect", "payments", "left-visitor");
    expect(await roleSeenBy(host, "left-visitor")).toEqual(given("payments-role"));
    await host.docker("network", "disconnect", "payments", "left-visitor");
  }
});

test("an address that moves to another container at once never brings its role along", { timeout: LIMIT_MS }, async () => {
  await start("left-mover", "--network", "front");
  await start("right-mover", "--network", "front");
  await start("nobody", "--network", "front");
  const containers = [
    { name: "left-mover", answer: given("left-role") },
    { name: "right-mover", answer: given("right-role") },
    { name: "nobody", answer: NONE },
  ];
  const way = { address: "169.254.169.254", source: "10.91.0.77" };
  await host.docker("network", "connect", "--ip", way.source, "back", "nobody");
  for (let round = 0; round < ROUNDS * 2; round += 1) {
    const [from, to] = [containers[(round + 2) % 3], containers[round % 3]];
    if (!from || !to) throw new Error("there are three of them");
    const move = `docker network disconnect back ${from.name} && exec docker network connect --ip ${way.source} back ${to.name}`;
    await host.run("bash", ["-c", move]);
    expect(await Promise.all([roleSeenBy(host, to.name, way), roleSeenBy(host, from.name)])).toEqual([to.answer, from.answer]);
  }
});

async function start(name: string, ...options: readonly string[]): Promise<void> {
  await host.docker("run", "--detach", "--name", name, ...options, "imdsgate-test");
}
