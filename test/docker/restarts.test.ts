import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { type RunningGateway, startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { requestFor, roleSeenBy } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const ROLE = "asker-role";

/** Asks for its role again and again, and writes what it is told to a file of the host, a line for each change. */
const ASKER = `
import socket, time
last = ""
while True:
    try:
        with socket.create_connection(("169.254.169.254", 80), 1) as connection:
            connection.sendall(${JSON.stringify(requestFor("/latest/meta-data/iam/security-credentials/"))}.encode())
            answer = b""
            while received := connection.recv(65536):
                answer += received
        said = answer.decode().split("\\r\\n\\r\\n")[-1] if b" 200 " in answer else "no role"
    except OSError:
        said = "no answer"
    if said != last:
        with open("/told/roles", "a") as told:
            told.write(said + "\\n")
    last = said
    time.sleep(0.01)
`;

/** What somebody does on a host, and what the log of the gateway has of it. */
interface Event {
  readonly name: string;
  readonly act: (host: DockerHost) => Promise<unknown>;
  readonly repairs: { readonly nftables: boolean; readonly iptables: boolean };
}

const sh = (script: string) => (host: DockerHost) => host.run("bash", ["-ec", script]);

/** dockerd as systemd restarts it; `--live-restore` is in its configuration file or not. */
const restartDocker = (liveRestore: boolean) => async (host: DockerHost) => {
  await sh(`echo '{"live-restore": ${liveRestore}}' >/etc/docker/daemon.json; kill -HUP "$(cat /run/docker.pid)"; sleep 0.5`)(host);
  await sh(
    `pid=$(cat /run/docker.pid); kill "$pid"; while [ -e "/proc/$pid/stat" ] && ! grep -q ') Z' "/proc/$pid/stat"; do sleep 0.05; done`,
  )(host);
  host.start("dockerd", ["--data-root", "/run/docker-data", "--experimental", "--ip6tables"]);
  await sh("for try in {1..400}; do docker version >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1")(host);
};

const EVENTS: readonly Event[] = [
  { name: "dockerd is restarted", act: restartDocker(false), repairs: { nftables: false, iptables: false } },
  { name: "dockerd is restarted with live-restore", act: restartDocker(true), repairs: { nftables: false, iptables: false } },
  { name: "iptables is flushed", act: sh("iptables -F; iptables -t nat -F"), repairs: { nftables: false, iptables: true } },
  { name: "all of nftables is flushed", act: sh("nft flush ruleset"), repairs: { nftables: true, iptables: true } },
];

describe.for(["nftables", "iptables"] as const)("what happens to a host, with rules by %s", (backend) => {
  let host: DockerHost;
  let gateway: RunningGateway;

  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "Canary0fTheTests");
    await host.run("mkdir", ["-p", "/run/told"]);
    gateway = await startGateway(host, [
      "--bind",
      `name:asker=${ROLE}`,
      "--account",
      "123456789012",
      "--sts-endpoint",
      sts,
      "--rules",
      backend,
    ]);
    // Killed at once: dockerd waits for its containers when it ends, and Python as the first process does not hear of its wish.
    const told = ["--volume", "/run/told:/told", "--restart", "always", "--stop-signal", "KILL", "--name", "asker"];
    await host.docker("run", "--detach", ...told, "imdsgate-test", "python3", "-c", ASKER);
    await roleAgain(host);
  }, LIMIT_MS);
  afterAll(() => host.stop());

  test.for(EVENTS)(
    "$name: the container is served again, and is never told the host's role",
    { timeout: LIMIT_MS },
    async ({ act, repairs }) => {
      const repairsBefore = repairsIn(gateway);
      await host.run("bash", ["-c", ">/run/told/roles"]);
      await act(host);
      await roleAgain(host);
      if (repairs[backend]) await gateway.program.printed(new RegExp(`(rules-repaired[^]*){${repairsBefore + 1}}`));
      const told = await host.run("cat", ["/run/told/roles"]);
      expect(told).not.toContain(SIM_INSTANCE_ROLE.name);
      expect(repairsIn(gateway) > repairsBefore).toBe(repairs[backend]);
      expect(gateway.program.stderr()).not.toContain("rules-flapping");
    },
  );

  test("without our rules it is told the host's role, so the tests above can fail", { timeout: LIMIT_MS }, async () => {
    await gateway.program.stop("SIGKILL");
    // Docker's own rules come back with it: without them no answer finds its way back.
    await sh("nft flush ruleset; ip6tables -F")(host);
    await restartDocker(true)(host);
    expect(await roleSeenBy(host, "asker")).toEqual({ status: "HTTP/1.1 200 OK", role: SIM_INSTANCE_ROLE.name });
    await sh(`for try in {1..100}; do grep -q ${SIM_INSTANCE_ROLE.name} /run/told/roles && exit 0; sleep 0.1; done; exit 1`)(host);
  });
});

function repairsIn({ program }: RunningGateway): number {
  return program.stderr().split("imdsgate.rules-repaired").length - 1;
}

/** Waits until the container is told its role; rejects where that does not come. */
async function roleAgain(host: DockerHost): Promise<void> {
  const question = `docker exec asker python3 -c 'import urllib.request as r; print(r.urlopen("http://169.254.169.254/latest/meta-data/iam/security-credentials/", None, 2).read().decode())'`;
  await sh(`for try in {1..150}; do [ "$(${question} 2>/dev/null)" = ${ROLE} ] && exit 0; sleep 0.2; done; exit 1`)(host);
}
