import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Backend } from "../../src/rules/backend.ts";
import { type CgroupGuard, cgroupGuard } from "../../src/rules/cgroup-guard.ts";
import { type CgroupTree, cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { endOldFlows } from "../../src/rules/conntrack.ts";
import { followHostNetwork } from "../../src/rules/follow-host-network.ts";
import type { HostNetworkPlan } from "../../src/rules/host-network.ts";
import { guardCgroups, hostNetworkPlan } from "../../src/rules/host-network-look.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { HostNetworkCapture, RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startRealImds } from "../support/docker-host/gateway.ts";
import { onlyChildOf } from "../support/docker-host/running-program.ts";

/** How many containers are started for each way; for a measurement more. */
const STARTS = Number(process.env["IMDSGATE_STARTS"] ?? "8");
const AT_ONCE = 2;
const LIMIT_MS = 120_000 + STARTS * 10_000;
const GATEWAY_PORT = 18169;

/** Answers every connection as the gateway would not: with its name. */
const GATEWAY = `require("node:net").createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.once("data", () => socket.end("HTTP/1.1 200 OK\\r\\n\\r\\ngateway"));
}).listen(${GATEWAY_PORT}, "0.0.0.0", () => console.log("listening"));`;

/** A container's first action: asks IMDS at once, and again until it hears the gateway, 200 times at most. Prints who answered, a line each. */
const ASKING = `for i in {1..200}; do
  exec 3<>/dev/tcp/169.254.169.254/80
  printf 'GET /latest/meta-data/instance-id HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n\\r\\n' >&3
  case $(cat <&3) in *gateway) echo gateway; exit;; *i-*) echo real;; *) echo nobody;; esac
  [ $i -lt "$1" ] || exit 0
done`;

let host: DockerHost;
let tree: CgroupTree;
let backend: Backend;
let run: RunCommand;

beforeAll(async () => {
  host = await startDockerHost();
  await startRealImds(host);
  await host.start(process.execPath, ["-e", GATEWAY]).printed(/^listening$/m);
  const inside = host.start("sh", ["-c", "echo inside; exec sleep infinity"]);
  await inside.printed(/^inside$/m);
  const root = `/proc/${onlyChildOf(inside.pid)}/root`;
  tree = cgroupTree({ root: `${root}/sys/fs/cgroup`, procRoot: `${root}/proc` });
  run = async (program, args, input) => {
    const { code, stdout, stderr } = await host.attempt(program, args, input);
    return { exitCode: code, stdout, stderr, isMissing: false };
  };
  backend = nftablesBackend(run);
  // as systemd has it on every host of its own
  await host.run("mkdir", ["/sys/fs/cgroup/system.slice"]);
  await startOne(1);
}, LIMIT_MS);
afterAll(() => host.stop());

/** Who answered the requests of a new host-network container, in order. */
async function startOne(requests: number, ...options: readonly string[]): Promise<readonly string[]> {
  const printed = await host.docker(
    "run",
    "--rm",
    "--network",
    "host",
    ...options,
    "imdsgate-test",
    "bash",
    "-c",
    ASKING,
    "-",
    String(requests),
  );
  return printed.split("\n");
}

/** The same for many containers. */
async function startMany(requests: number, ...options: readonly string[]): Promise<readonly (readonly string[])[]> {
  const seen: (readonly string[])[] = [];
  const startInTurn = async (): Promise<void> => {
    for (let started = 0; started < STARTS / AT_ONCE; started += 1) seen.push(await startOne(requests, ...options));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, startInTurn));
  return seen;
}

async function apply(hostNetwork: HostNetworkCapture | undefined): Promise<void> {
  const ruleSet: RuleSet = { parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [], hostNetwork };
  await backend.apply(ruleSet);
  // What a container began just before would wait for an answer that no longer comes.
  expect(await endOldFlows(run)).toBe("ended");
}

const parts = { own: "init", containers: () => [], isElsewhere: () => false, guard: undefined };

test("without a rule for it each host-network container reaches the real IMDS", { timeout: LIMIT_MS }, async () => {
  await apply(undefined);
  expect(await startMany(1)).toEqual(Array.from({ length: STARTS }, () => ["real"]));
});

test("with a rule for the place where all containers live none ever does", { timeout: LIMIT_MS }, async () => {
  const { capture, window } = hostNetworkPlan({ ...parts, tree });
  expect({ capture, window }).toEqual({ capture: { caught: ["docker"], exempt: [] }, window: "none" });
  await apply(capture);
  expect(await startMany(1)).toEqual(Array.from({ length: STARTS }, () => ["gateway"]));
});

/** Has each container led to the gateway by a rule of its own, as soon as it is seen, until the test ends. */
function follow(guard: CgroupGuard | undefined): void {
  const ending = new AbortController();
  const guarded = { ...parts, guard, tree };
  const acts = { onPlan: ({ capture }: HostNetworkPlan) => apply(capture), onGuard: () => guardCgroups(guarded) };
  const following = followHostNetwork({ ...guarded, clock: systemClock }, acts, ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await following;
    await guard?.remove();
  });
}

test("with a rule for each, put in when its cgroup appears, each is led to the gateway soon", { timeout: LIMIT_MS }, async ({
  annotate,
}) => {
  await apply(undefined);
  follow(undefined);
  const seen = await startMany(200, "--cgroup-parent", "/system.slice");
  expect(seen.map((answers) => answers.at(-1))).toEqual(Array.from({ length: STARTS }, () => "gateway"));
  const late = seen.filter((answers) => answers[0] !== "gateway");
  const longest = Math.max(...seen.map((answers) => answers.length - 1));
  await annotate(`${late.length} of ${STARTS} reached the real IMDS first, with ${longest} requests at most`);
});

test.for(["/system.slice", "/mine/deep", "/"])(
  "with the cgroup guard too none ever reaches the real IMDS, though each has a rule of its own in %s",
  { timeout: LIMIT_MS },
  async (parent) => {
    await apply(undefined);
    const guard = cgroupGuard(run);
    follow(guard);
    await expect.poll(() => guard.isHolding()).toBe(true);
    const seen = await startMany(1, "--cgroup-parent", parent);
    expect(seen).toEqual(Array.from({ length: STARTS }, () => ["gateway"]));
  },
);

test("with the cgroup guard a new service of the host reaches the real IMDS, at once or a second later", {
  timeout: LIMIT_MS,
}, async () => {
  const guard = cgroupGuard(run);
  follow(guard);
  await expect.poll(() => guard.isHolding()).toBe(true);
  const script = `mkdir -p "$0" && echo 0 >"$0/cgroup.procs" && ${ASKING}`;
  for (const name of ["system.slice/a.service", "system.slice/system-b\\x2dc.slice/b-c@1.service", "other.slice/d.scope", "e"]) {
    expect(await host.run("bash", ["-c", script, `/sys/fs/cgroup/${name}`, "1"])).toBe("real\n");
  }
});
