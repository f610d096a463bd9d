import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";
import { CAN_OTHERS_READ } from "../support/other-users.ts";

const LIMIT_MS = 120_000;
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });

/**
 * What a container gives that has no host pid namespace, as Swarm's: processes of its own, another user than root with the one capability that
 * rules need, the host's /proc read only at another place.
 */
const AS_IN_A_CONTAINER = `
mkdir -p /run/host/proc
mount --rbind /proc /run/host/proc
mount -o remount,bind,ro /run/host/proc
chgrp 65534 /var/run/docker.sock
exec unshare --pid --fork --mount-proc \\
  setpriv --pdeathsig KILL --reuid 65534 --regid 65534 --clear-groups --bounding-set -all,+net_admin --inh-caps -all,+net_admin --ambient-caps -all,+net_admin --no-new-privs \\
  "$@"
`;

let host: DockerHost;
let flags: readonly string[];

beforeAll(async () => {
  host = await startDockerHost();
  await startRealImds(host);
  const sts = await startSts(host, "Canary0fTheTests");
  flags = ["--bind", "name:web*=web-role", "--bind", "name:db=db-role", "--account", "123456789012", "--sts-endpoint", sts];
}, LIMIT_MS);
afterAll(() => host?.stop());

/** A gateway on the host, as in a container; it ends with the test. */
async function gatewayInAContainer(...more: readonly string[]): Promise<void> {
  const around = ["--mount", "--propagation", "private", "sh", "-ec", AS_IN_A_CONTAINER, "-"];
  const place: DockerHost = { ...host, start: (program, args, env) => host.start("unshare", [...around, program, ...args], env) };
  const { program } = await startGateway(place, [...flags, ...more]);
  // unshare waits for its child whatever it is told, and takes it along when it is killed
  onTestFinished(async () => void (await program.stop("SIGKILL")));
}

test.skipIf(!CAN_OTHERS_READ)(
  "from another pid namespace, as another user, the host's /proc bound elsewhere read only is enough",
  {
    timeout: LIMIT_MS,
  },
  async () => {
    await gatewayInAContainer("--proc-root", "/run/host/proc");
    for (const name of ["web", "db", "other"]) await host.docker("run", "--detach", "--name", name, "imdsgate-test");
    expect([await roleSeenBy(host, "web"), await roleSeenBy(host, "db"), (await roleSeenBy(host, "other")).role]).toEqual([
      given("web-role"),
      given("db-role"),
      "",
    ]);
    const output = await host.docker("run", "--rm", "--name", "web-late", "imdsgate-test", ...firstAction(1));
    expect(seenFirst(output).seen).toEqual([given("web-role")]);

    const status = await host.run("bash", ["-c", "grep -hE '^(Uid|CapEff|NSpid)' /proc/$(pgrep -o -u 65534)/status"]);
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534\nNSpid:\t\d+\t\d+\nCapEff:\t0000000000001000$/m);
  },
);

test.skipIf(!CAN_OTHERS_READ)("without it no container is proven there, and none is given a role", { timeout: LIMIT_MS }, async () => {
  await gatewayInAContainer();
  await host.docker("run", "--detach", "--name", "web-unproven", "imdsgate-test");
  expect((await roleSeenBy(host, "web-unproven")).role).toBe("");
});
