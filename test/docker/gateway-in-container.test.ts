import { copyFileSync, existsSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { type Compose, composesHere } from "../support/compose.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { roleSeenBy } from "../support/docker-host/metadata.ts";
import { buildImage, DEBIAN } from "../support/docker-host/own-image.ts";
import { loggedAnswers, ROLE_ASKER, wrongAnswers } from "../support/docker-host/role-asker.ts";

const LIMIT_MS = 180_000;
const COMPOSE_FILE = join(import.meta.dirname, "../../packaging/compose.yaml");
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

/** As docs/install.md has it, but for the cgroup namespace. */
const CONFINED = [
  ...["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--security-opt", "no-new-privileges", "--read-only"],
  ...["--tmpfs", "/run", "--volume", "/proc:/host/proc:ro", "--volume", "/var/run/docker.sock:/var/run/docker.sock:ro"],
];
const UNPRIVILEGED = [...CONFINED.filter((word) => word !== "--cap-add" && word !== "NET_ADMIN"), "--user", "65532"];
const REMOVE_RULES = ["run", "--rm", ...CONFINED, "--cap-add", "NET_RAW", "--cgroupns", "host", "imdsgate", "rules", "remove"];

const READY = `for try in {1..200}; do docker logs imdsgate 2>/dev/null | grep -q '"event":"ready"' && exit 0; sleep 0.1; done; exit 1`;

/** Asks the metadata service for the role as the gateway's own process would: from its container. */
const OWN_CALL = `
const socket = require("node:net").connect(80, "169.254.169.254", () => socket.write("GET /latest/meta-data/iam/security-credentials/ HTTP/1.0\\r\\n\\r\\n"));
socket.on("data", (bytes) => { process.stdout.write(String(bytes).split("\\r\\n\\r\\n").at(-1)); process.exit(0); }).setTimeout(3000, () => process.exit(1));
`;

describe.skipIf(!existsSync(DEBIAN))("the gateway as a container", () => {
  let folder: ReturnType<typeof mkdtempDisposableSync>;
  let host: DockerHost;
  let flags: readonly string[];
  let sts: string;

  beforeAll(async () => {
    folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-image-"));
    host = await startDockerHost();
    await buildImage(host, folder.path);
    await startRealImds(host);
    sts = await startSts(host, "Canary0fTheTests");
    const bindings = ["web", "db", "agent"].flatMap((name) => ["--bind", `name:${name}=${name}-role`]);
    flags = ["run", "--proc-root", "/host/proc", "--log-format", "json", ...bindings, "--account", "123456789012", "--sts-endpoint", sts];
    for (const [name, network] of Object.entries({ web: "bridge", db: "bridge", other: "bridge", agent: "host" })) {
      await host.docker("run", "--detach", "--name", name, "--network", network, "imdsgate-test");
    }
    await startInContainer("host");
  }, LIMIT_MS);
  afterAll(async () => {
    await host?.stop();
    folder?.[Symbol.dispose]();
  });

  async function startInContainer(cgroupns: "host" | "private"): Promise<void> {
    const words = ["run", "--detach", "--name", "imdsgate", "--restart", "always", "--cgroupns", cgroupns, ...CONFINED];
    await host.docker(...words, "imdsgate", ...flags);
    await host.run("bash", ["-c", READY]);
  }

  async function rolesSeen(): Promise<readonly unknown[]> {
    return Promise.all(["web", "db", "other", "agent"].map((name) => roleSeenBy(host, name)));
  }
  const ALL_RIGHT = [given("web-role"), given("db-role"), NONE, given("agent-role")];

  test("containers have their own roles, one with the host's network too, and one without a binding has none", {
    timeout: LIMIT_MS,
  }, async () => {
    await expect.poll(rolesSeen, { timeout: 20_000 }).toEqual(ALL_RIGHT);
  });

  test("it does not redirect itself: its own calls reach the real service, and the host's own too", { timeout: LIMIT_MS }, async () => {
    expect(await host.docker("exec", "imdsgate", "node", "--eval", OWN_CALL)).toBe(SIM_INSTANCE_ROLE.name);
    expect(await roleSeenBy(host, "host")).toEqual(given(SIM_INSTANCE_ROLE.name));
  });

  test("it has one capability, cannot write its files, and says that it is healthy", { timeout: LIMIT_MS }, async () => {
    expect(await host.docker("exec", "imdsgate", "grep", "-hE", "^(CapEff|CapBnd|NoNewPrivs)", "/proc/1/status")).toBe(
      "CapEff:\t0000000000001000\nCapBnd:\t0000000000001000\nNoNewPrivs:\t1",
    );
    expect((await host.attempt("docker", ["exec", "imdsgate", "touch", "/usr/lib/imdsgate/x"])).stderr).toContain("Read-only file system");
    expect((await host.attempt("docker", ["exec", "imdsgate", "sh", "-c", "echo 1 >/host/proc/sys/net/ipv4/ip_forward"])).code).not.toBe(0);
    await expect
      .poll(() => host.docker("inspect", "--format", "{{.State.Health.Status}}", "imdsgate"), { timeout: 30_000, interval: 500 })
      .toBe("healthy");
  });

  test("a container without a gateway in it, or with one that takes no connection, is not healthy", { timeout: LIMIT_MS }, async () => {
    const health = ["/usr/lib/imdsgate/health.mjs"];
    expect((await host.attempt("docker", ["run", "--rm", "--entrypoint", "node", "imdsgate", ...health])).code).toBe(1);
    const pid = await host.docker("inspect", "--format", "{{.State.Pid}}", "imdsgate");
    await host.run("kill", ["-STOP", pid]);
    try {
      expect((await roleSeenBy(host, "web")).status).toBe("<timeout>");
      const held = host.start("docker", ["exec", "web", "bash", "-c", "exec 3<>/dev/tcp/169.254.169.254/80; sleep 60"]);
      await expect
        .poll(async () => (await host.attempt("docker", ["exec", "imdsgate", "node", ...health])).code, { timeout: 20_000 })
        .toBe(1);
      await held.stop("SIGKILL");
    } finally {
      await host.run("kill", ["-CONT", pid]);
    }
  });

  test("through restarts and kill -9 no container is told another role, and all are served again", { timeout: LIMIT_MS }, async () => {
    const asker = { web2: "bridge", agent2: "host" };
    for (const [name, network] of Object.entries(asker)) {
      await host.docker(
        "run",
        "--detach",
        "--env",
        "PAUSE_SECONDS=0.01",
        "--name",
        name,
        "--network",
        network,
        "imdsgate-test",
        ...ROLE_ASKER,
      );
    }
    await host.docker("restart", "imdsgate");
    await expect.poll(rolesSeen, { timeout: 20_000 }).toEqual(ALL_RIGHT);
    await host.run("kill", ["-9", await host.docker("inspect", "--format", "{{.State.Pid}}", "imdsgate")]);
    await expect.poll(rolesSeen, { timeout: 20_000 }).toEqual(ALL_RIGHT);
    for (const name of Object.keys(asker)) {
      const answers = loggedAnswers(`${await host.docker("logs", name)}\n`);
      expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining(["HTTP/1.1 404 Not Found", "no connection"]));
      expect(wrongAnswers("", answers)).toEqual([]);
      await host.docker("rm", "--force", name);
    }
    expect(await host.docker("inspect", "--format", "{{.RestartCount}}", "imdsgate")).toBe("1");
  });

  test("removed, it leaves the closed rules; those taken out, containers have the host's role again", { timeout: LIMIT_MS }, async () => {
    await host.docker("rm", "--force", "imdsgate");
    for (const name of ["web", "agent"]) expect((await roleSeenBy(host, name)).status).toBe("<ConnectionRefusedError>");
    await host.docker(...REMOVE_RULES);
    expect(await host.run("nft", ["list", "tables"])).not.toContain("imdsgate");
    for (const name of ["web", "agent"]) expect(await roleSeenBy(host, name)).toEqual(given(SIM_INSTANCE_ROLE.name));
  });

  test("with a cgroup namespace of its own it does not reach containers with the host's network, and says so", {
    timeout: LIMIT_MS,
  }, async () => {
    await startInContainer("private");
    expect([await roleSeenBy(host, "web"), await roleSeenBy(host, "agent")]).toEqual([given("web-role"), given(SIM_INSTANCE_ROLE.name)]);
    const errors = async () => (await host.attempt("docker", ["logs", "imdsgate"])).stderr;
    await expect.poll(errors, { timeout: 20_000 }).toContain('"imdsgate.window":"uncovered"');
    await host.docker("rm", "--force", "imdsgate");
    await host.docker(...REMOVE_RULES);
  });

  test("as another user, without any capability, it serves containers on bridges behind rules that another put in", {
    timeout: LIMIT_MS,
  }, async () => {
    await host.docker("run", "--rm", ...CONFINED, "--cap-add", "NET_RAW", "--cgroupns", "host", "imdsgate", "rules", "apply", "--all");
    const group = await host.run("stat", ["--format", "%g", "/var/run/docker.sock"]);
    const words = ["run", "--detach", "--name", "imdsgate", "--cgroupns", "host", ...UNPRIVILEGED, "--group-add", group.trim()];
    await host.docker(...words, "imdsgate", ...flags, "--rules", "none", "--listen-unprotected");
    await host.run("bash", ["-c", READY]);
    expect([await roleSeenBy(host, "web"), await roleSeenBy(host, "other")]).toEqual([given("web-role"), NONE]);
    expect(await host.docker("exec", "imdsgate", "grep", "-hE", "^(Uid|CapBnd)", "/proc/1/status")).toMatch(
      /^Uid:\t65532\t.*\nCapBnd:\t0{16}$/,
    );
    await host.docker("rm", "--force", "imdsgate");
    await host.docker(...REMOVE_RULES);
  });

  const composes = composesHere().filter(({ name }) => name === "docker compose");
  test.skipIf(composes.length === 0).for(composes)(
    "the compose file does the same, by $name",
    { timeout: LIMIT_MS },
    async ({ path }: Compose) => {
      const settings = {
        bind: ["web", "db", "agent"].map((name) => `name:${name}=${name}-role`),
        account: "123456789012",
        stsEndpoint: sts,
      };
      copyFileSync(COMPOSE_FILE, join(folder.path, "compose.yaml"));
      writeFileSync(join(folder.path, "imdsgate.yaml"), JSON.stringify(settings));
      const compose = (...words: readonly string[]) =>
        host.run(path, ["--file", join(folder.path, "compose.yaml"), "--project-name", "gate", ...words]);
      await compose("up", "--detach");
      await expect.poll(rolesSeen, { timeout: 20_000 }).toEqual(ALL_RIGHT);
      await compose("restart");
      await expect.poll(rolesSeen, { timeout: 20_000 }).toEqual(ALL_RIGHT);
      await compose("down");
    },
  );
});
