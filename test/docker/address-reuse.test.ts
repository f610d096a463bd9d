import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const ROUNDS = 10;
const LATE_EVENTS = join(import.meta.dirname, "../support/docker-host/late-events.ts");

describe.for([
  { title: "Docker's events come as they come", isLate: false },
  { title: "Docker's events never come", isLate: true },
])("when $title", ({ isLate }) => {
  let host: DockerHost;

  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "secret");
    const bindings = ["--bind", "name:old-*=old-role", "--bind", "name:new-*=new-role"];
    const socket = isLate ? ["--docker-socket", await startLateEvents(host)] : [];
    await startGateway(host, [...bindings, ...socket, "--account", "123456789012", "--sts-endpoint", sts]);
    return () => host.stop();
  }, LIMIT_MS);

  test.for([
    { newcomer: "new", answer: { status: "HTTP/1.1 200 OK", role: "new-role" } },
    { newcomer: "unbound", answer: { status: "HTTP/1.1 404 Not Found", role: "" } },
  ])(
    "a container ($newcomer) that takes the address of one just killed never sees its role",
    { timeout: LIMIT_MS },
    async ({ newcomer, answer }) => {
      const rounds = [];
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await replace(host, `old-${newcomer}-${round}`, `${newcomer}-${round}`));
      expect(rounds.map(({ before }) => before)).toEqual(rounds.map(() => ({ status: "HTTP/1.1 200 OK", role: "old-role" })));
      expect(rounds.map(({ after }) => after)).toEqual(rounds.map(() => [answer, answer, answer, answer, answer]));
      // else nothing was tried
      expect(rounds.filter(({ isSameAddress }) => isSameAddress).length).toBeGreaterThanOrEqual(ROUNDS / 2);
    },
  );
});

/** Kills a container and at once starts another, whose first action is to ask for its role five times over. */
async function replace(host: DockerHost, old: string, newcomer: string) {
  await host.docker("run", "--detach", "--name", old, "imdsgate-test");
  const before = await roleSeenBy(host, old);
  const oldAddress = await host.docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", old);
  await host.docker("create", "--name", newcomer, "imdsgate-test", ...firstAction(5));
  // one after the other, with nothing in between: Docker gives the address out again as soon as it is free
  const output = await host.run("bash", ["-c", `docker kill ${old} >/dev/null; exec docker start --attach ${newcomer}`]);
  const { seen, address } = seenFirst(output);
  await host.docker("rm", "--force", old, newcomer);
  return { before, after: seen, isSameAddress: address === oldAddress };
}

async function startLateEvents(host: DockerHost): Promise<string> {
  const socket = "/run/late-events.sock";
  await host.start(process.execPath, [LATE_EVENTS, socket]).printed(/^late events$/m);
  return socket;
}
