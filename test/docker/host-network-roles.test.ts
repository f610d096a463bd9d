import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { ASKS, askInBuild } from "../support/docker-host/build-asker.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { imdsgate, type RunningGateway, startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { roleSeenBy } from "../support/docker-host/metadata.ts";
import type { LoggedAnswer } from "../support/docker-host/role-asker.ts";

const LIMIT_MS = 120_000;
const OK = "HTTP/1.1 200 OK";
const HOST_NETWORK = ["--network", "host"];
const SEEN = [
  { container: "agent", seen: { status: OK, role: "agent-role" } },
  { container: "other", seen: { status: OK, role: "other-role" } },
  { container: "unbound", seen: { status: "HTTP/1.1 404 Not Found", role: "" } },
  { container: "ecs-agent", seen: { status: OK, role: SIM_INSTANCE_ROLE.name } },
  // The host's network by joining a container that has it, from a place of its own in the tree of cgroups.
  {
    container: "joined",
    options: ["--network", "container:agent", "--cgroup-parent", "/odd/place"],
    seen: { status: OK, role: "joined-role" },
  },
];

const EARLY = ["early-1", "early-2", "early-3", "early-4"] as const;
/** Asks at once for the role, and again until it is the one that is waited for. Prints what each answer was. */
const ASKING = `for i in {1..200}; do
  exec 3<>/dev/tcp/169.254.169.254/80
  printf 'GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n\\r\\n' >&3
  answer=$(cat <&3)
  role=\${answer##*$'\\n'}
  case $answer in HTTP/1.1\\ 200*) echo "role $role"; [ "$role" != "$1" ] || exit 0;; *) echo "no role: \${answer:0:12}";; esac
done`;

describe.for(["nftables", "iptables"] as const)("containers with the host's network, under %s", (backend) => {
  let host: DockerHost;
  let gateway: RunningGateway;
  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "canary");
    for (const { container, options = HOST_NETWORK } of SEEN) {
      await host.docker("run", "--detach", ...options, "--name", container, "imdsgate-test");
    }
    await host.docker("run", "--detach", "--name", "bridged", "imdsgate-test");
    const bindings = ["agent", "other", "joined", "bridged", ...EARLY].flatMap((name) => ["--bind", `name:${name}=${name}-role`]);
    const aws = ["--account", "111122223333", "--sts-endpoint", sts];
    gateway = await startGateway(host, [...bindings, ...aws, "--host-role", "name:ecs-agent", "--rules", backend]);
  }, LIMIT_MS);
  afterAll(() => host.stop());

  test.for(SEEN)("$container sees $seen.role", { timeout: LIMIT_MS }, async ({ container, seen }) => {
    await expect.poll(() => roleSeenBy(host, container), { timeout: 20_000 }).toMatchObject(seen);
  });

  test("the host's own processes keep the host's role, and a container on a bridge has its own", { timeout: LIMIT_MS }, async () => {
    expect(await roleSeenBy(host, "host")).toMatchObject({ status: OK, role: SIM_INSTANCE_ROLE.name });
    expect(await roleSeenBy(host, "bridged")).toMatchObject({ status: OK, role: "bridged-role" });
  });

  test("what is given away as the host's own is audited", { timeout: LIMIT_MS }, () => {
    const lines = gateway.program.stderr().split("\n");
    expect(lines.filter((line) => line.includes("imdsgate.host-role")).every((line) => line.includes("ecs-agent"))).toBe(true);
    expect(lines.filter((line) => line.includes("imdsgate.host-role")).length).toBeGreaterThan(0);
  });

  test("the bridge guard holds the container on the bridge to its address", { timeout: LIMIT_MS }, async () => {
    const address = await host.docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "bridged");
    await expect.poll(() => host.run("nft", ["list", "table", "bridge", "imdsgate"])).toContain(address);
  });

  test.for(EARLY)(
    "%s, which asks from its first moment on among services of the host, never sees the host's role",
    {
      timeout: LIMIT_MS,
    },
    async (container) => {
      const place = [...HOST_NETWORK, "--cgroup-parent", "/system.slice"];
      const printed = await host.docker(
        "run",
        "--rm",
        ...place,
        "--name",
        container,
        "imdsgate-test",
        "bash",
        "-c",
        ASKING,
        "-",
        `${container}-role`,
      );
      const roles = printed.split("\n").filter((line) => !line.startsWith("no role: "));
      expect([...new Set(roles)]).toEqual([`role ${container}-role`]);
    },
  );

  // The classic builder: BuildKit needs a plugin of the command line here, and is tried by ./scripts/vm.
  test("the step of a build on the host's network has no role from its first moment on", { timeout: LIMIT_MS }, async () => {
    const answers = await answersInBuild(host);
    expect(answers.length).toBe(ASKS);
    expect(new Set(answers.map(({ role }) => role))).toEqual(new Set([""]));
    expect(answers.some(({ status }) => status === "HTTP/1.1 404 Not Found")).toBe(true);
  });

  test("the cgroup guard is back as soon as the rules are, where somebody has flushed them all", { timeout: LIMIT_MS }, async () => {
    const guard = () => host.run("nft", ["list", "tables", "inet"]);
    await expect.poll(guard).toContain("imdsgate-cgroups");
    await host.run("nft", ["flush", "ruleset"]);
    await expect.poll(guard, { timeout: 10_000 }).toContain("imdsgate-cgroups");
  });

  test("a gateway that is stopped leaves them nothing, and takes the guard out", { timeout: LIMIT_MS }, async () => {
    expect(await gateway.program.stop("SIGTERM")).toMatchObject({ code: 0 });
    for (const { container } of SEEN) expect((await roleSeenBy(host, container)).status).not.toContain("HTTP/1.1");
    expect(await roleSeenBy(host, "host")).toMatchObject({ status: OK, role: SIM_INSTANCE_ROLE.name });
    expect(await host.run("nft", ["list", "tables"])).not.toContain("table bridge imdsgate");
  });

  test("without the rules each of them has the host's role, so the tests above can fail", { timeout: LIMIT_MS }, async () => {
    expect(await imdsgate(host, "rules", "remove")).toMatchObject({ code: 0 });
    for (const { container } of SEEN) expect(await roleSeenBy(host, container)).toMatchObject({ status: OK, role: SIM_INSTANCE_ROLE.name });
    const inBuild = (await answersInBuild(host)).map(({ role }) => role);
    expect(inBuild).toEqual(Array.from({ length: ASKS }, () => SIM_INSTANCE_ROLE.name));
  });
});

async function answersInBuild(host: DockerHost): Promise<readonly LoggedAnswer[]> {
  const { answers } = await askInBuild((line) => host.run("bash", ["-c", line]), "imdsgate-test", "the classic builder");
  return answers;
}
