import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { removeDeadCgroups } from "../../test/support/docker-host/cgroup.ts";
import { runDemos } from "./test-demos.ts";
import { processesEnded } from "./test-leftovers.ts";
import { canRun, isRoot, ROOT, runShown } from "./test-programs.ts";
import { runVitest } from "./test-vitest.ts";

/** What a group has to work with. */
export interface RunPlace {
  /** For reports and copies; removed at the end. */
  readonly folder: string;
  /** For temporary files of what is tested; empty when all is well. */
  readonly temporary: string;
  /** A value that is this run's alone: each of its processes has it in its environment. */
  readonly marker: string;
  /** Aborted when the run is to end at once. */
  readonly signal: AbortSignal;
}

/** What became of one group. `notRun` names what this machine cannot run, each with the reason. */
export interface GroupResult {
  readonly passed: number;
  /** What failed, a line each. */
  readonly failures: readonly string[];
  readonly notRun: readonly string[];
}

export interface Outcome extends GroupResult {
  readonly name: string;
  readonly seconds: number;
}

export interface Group {
  readonly name: string;
  readonly about: string;
  readonly run: (place: RunPlace) => Promise<GroupResult>;
}

/** They tell how soon something is done, so nothing else may run meanwhile. */
const TIMED: Readonly<Record<string, readonly string[]>> = {
  kernel: ["keeper", "many-interfaces", "random-damage", "rules-command"],
  docker: ["address-reuse", "churn", "late-events", "restarts"],
  packages: ["watchdog"],
};
const OTHER_FOLDERS = ["contract", "kernel", "docker", "clients", "garden", "differential", "moto", "packages"];

/** All groups, in the order in which they run. */
export const GROUPS: readonly Group[] = [
  { name: "check", about: "types, lint, format, imports between rooms, unused code", run: runCheck },
  {
    name: "unit",
    about: "each room by itself",
    run: (place) =>
      runVitest(
        place,
        "unit",
        OTHER_FOLDERS.flatMap((name) => ["--exclude", `test/${name}/**`]),
      ),
  },
  {
    name: "contract",
    about: "the cases of the metadata service's contract over real sockets",
    run: (place) => runVitest(place, "contract", ["test/contract/"]),
  },
  {
    name: "differential",
    about: "sequences of requests, straight to a metadata service and through the gateway: the same bytes",
    run: (place) => runVitest(place, "differential", ["test/differential/"]),
  },
  {
    name: "garden",
    about: "what the gateway's parser accepts, read by node:http, Go, Python, nginx and haproxy",
    run: (place) => runVitest(place, "garden", ["test/garden/"]),
  },
  { name: "moto", about: "the questions to STS against moto with IAM enforced, and beside those of botocore", run: runMoto },
  { name: "kernel", about: "rule sets on the real kernel, in namespaces of their own", run: runKernel },
  { name: "docker", about: "a real Docker daemon with AWS clients in its containers, in namespaces of its own", run: runDocker },
  { name: "clients", about: "unmodified AWS clients in a container's network, behind the kernel's redirect", run: runClients },
  {
    name: "packages",
    about: "the .deb and the .rpm, installed, run and removed on a Debian with its own systemd, in namespaces",
    run: runPackages,
  },
  { name: "demo", about: "./scripts/demo as root, as an ordinary user in a fresh copy, and where namespaces are forbidden", run: runDemos },
];

async function runCheck(place: RunPlace): Promise<GroupResult> {
  const code = await runShown(process.execPath, ["--run", "check"], place);
  return code === 0 ? { passed: 1, failures: [], notRun: [] } : { passed: 0, failures: [`npm run check ended with ${code}`], notRun: [] };
}

async function runMoto(place: RunPlace): Promise<GroupResult> {
  if (!existsSync(join(ROOT, ".tools/venv/bin/moto_server"))) return notRun("moto", "the Python environment with moto could not be made");
  return runVitest(place, "moto", ["test/moto/"]);
}

async function runKernel(place: RunPlace): Promise<GroupResult> {
  const missing = missingPrograms(["ip", "nft", "iptables", "conntrack", "sysctl", "unshare"]);
  if (missing) return notRun("kernel", missing);
  if (!isRoot() && !(await canRun("unshare", ["--user", "--map-root-user", "--net", "true"]))) {
    return notRun("kernel", "this machine gives an ordinary user no namespaces; run it as root");
  }
  return runPaired(place, "kernel");
}

/** Runs the tests in the folder of that name, two files at a time, most of whose time is waiting; then those that are timed, each alone. */
async function runPaired(place: RunPlace, name: string): Promise<GroupResult> {
  const timed = (TIMED[name] ?? []).map((file) => `test/${name}/${file}.test.ts`);
  const others = await runVitest(place, name, [`test/${name}/`, "--maxWorkers=2", ...timed.flatMap((file) => ["--exclude", file])]);
  if (timed.length === 0 || place.signal.aborted) return others;
  const last = await runVitest(place, name, [...timed, "--no-file-parallelism"]);
  return {
    passed: others.passed + last.passed,
    failures: [...others.failures, ...last.failures],
    notRun: [...others.notRun, ...last.notRun],
  };
}

function runDocker(place: RunPlace): Promise<GroupResult> {
  return runOnDockerHosts(place, "docker");
}

function runClients(place: RunPlace): Promise<GroupResult> {
  return runOnDockerHosts(place, "clients");
}

async function runPackages(place: RunPlace): Promise<GroupResult> {
  if (!isRoot()) return notRun("packages", "it needs root");
  if (!existsSync(join(ROOT, ".tools/debian"))) return notRun("packages", "the Debian to install them on could not be made");
  if (globSync("*.{deb,rpm}", { cwd: join(ROOT, "dist/packages") }).length < 2) return notRun("packages", "they could not be made");
  if (!(await canRun("unshare", ["--net", "--mount", "--pid", "--cgroup", "--fork", "true"])))
    return notRun("packages", "this machine forbids namespaces");
  const result = await runPaired(place, "packages");
  if (place.signal.aborted) {
    await processesEnded(place.marker);
    await removeDeadCgroups();
  }
  return result;
}

/** Runs the tests in the folder of that name, each on a Docker host of its own. */
async function runOnDockerHosts(place: RunPlace, name: "docker" | "clients"): Promise<GroupResult> {
  if (!isRoot()) return notRun(name, "it needs root");
  const missing = missingPrograms(["ip", "nft", "iptables", "conntrack", "unshare", "dockerd", "docker"]);
  if (missing) return notRun(name, missing);
  if (!existsSync(join(ROOT, ".tools/docker/image.tar")))
    return notRun(name, "the Python environment for its containers could not be made");
  if (!(await canRun("unshare", ["--net", "--mount", "--pid", "--fork", "true"]))) return notRun(name, "this machine forbids namespaces");
  const result = await runPaired(place, name);
  if (place.signal.aborted) {
    await processesEnded(place.marker);
    await removeDeadCgroups();
  }
  return result;
}

function missingPrograms(names: readonly string[]): string | undefined {
  const folders = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`.split(":");
  const missing = names.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

function notRun(name: string, reason: string): GroupResult {
  process.stdout.write(`cannot run here: ${reason}\n`);
  return { passed: 0, failures: [], notRun: [`${name}: ${reason}`] };
}
