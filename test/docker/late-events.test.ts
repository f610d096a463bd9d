import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";

const LATE_EVENTS = join(import.meta.dirname, "../support/docker-host/late-events.ts");
const SOCKET = "/run/late-events.sock";
const LIMIT_MS = 120_000;
const ROUNDS = 4;
const ASKED = 5;

/** As the gateway is in a container that was not given the host's cgroup namespace, a task of Swarm's for one: it sees its own cgroup alone. */
const OWN_CGROUP_NAMESPACE = [
  "sh",
  "-c",
  `mkdir /sys/fs/cgroup/gateway && echo 0 >/sys/fs/cgroup/gateway/cgroup.procs &&
   exec unshare --cgroup --mount sh -c 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' - "$@"`,
  "-",
];

describe.for([
  { place: "where the cgroups of containers are seen", wrapper: [] },
  { place: "in a cgroup namespace of its own", wrapper: OWN_CGROUP_NAMESPACE },
])("a gateway $place", ({ wrapper }) => {
  let host: DockerHost;

  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "secret");
    await host.start(process.execPath, [LATE_EVENTS, SOCKET]).printed(/^late events$/m);
    const bindings = ["left", "right"].flatMap((side) => ["--bind", `name:${side}*=${side}-role`]);
    await startGateway(host, [...bindings, "--docker-socket", SOCKET, "--account", "123456789012", "--sts-endpoint", sts], {}, wrapper);
  }, LIMIT_MS);
  afterAll(() => host?.stop());

  test("while Docker's events do not come, who joins a network namespace never has its owner's role", { timeout: LIMIT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [owner, joiner] = [`left-${round}`, `right-${round}`];
      await host.docker("run", "--detach", "--name", owner, "imdsgate-test");
      expect((await roleSeenBy(host, owner)).role).toBe("left-role");
      const place = round % 2 === 0 ? [] : ["--cgroup-parent", `/deep/${round}/place`];
      const lives = [
        await host.docker("run", "--name", joiner, ...place, "--network", `container:${owner}`, "imdsgate-test", ...firstAction(ASKED)),
        // the same container with another process
        await host.docker("start", "--attach", joiner),
      ];
      for (const { seen } of lives.map(seenFirst)) {
        expect(seen.filter(({ role }) => role !== "right-role" && role !== "")).toEqual([]);
        expect(seen.length).toBe(ASKED);
      }
    }
  });

  test("and a container with a network of its own has its role meanwhile, and the owner again when the other has gone", {
    timeout: LIMIT_MS,
  }, async () => {
    await host.docker("run", "--detach", "--name", "left-staying", "imdsgate-test");
    await host.docker("run", "--detach", "--name", "right-joined", "--network", "container:left-staying", "imdsgate-test");
    await host.docker("run", "--detach", "--name", "right-apart", "imdsgate-test");
    const seen = async () => [(await roleSeenBy(host, "left-staying")).role, (await roleSeenBy(host, "right-apart")).role];
    expect(await seen()).toEqual(["", "right-role"]);
    await host.docker("rm", "--force", "right-joined");
    expect(await seen()).toEqual(["left-role", "right-role"]);
  });
});
