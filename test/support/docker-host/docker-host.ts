import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeCgroup, removeCgroup } from "./cgroup.ts";
import { childrenOf, onlyChildOf, type ProgramEnd, type RunningProgram, runProgram, startProgram, tryProgram } from "./running-program.ts";

/** Programs in one place: on the Docker host, or outside of it where the real IMDS stands. Each runs with an environment of its own. */
export interface Place {
  readonly start: (program: string, args: readonly string[], env?: Readonly<Record<string, string>>) => RunningProgram;
  /** Standard output of a program that has to succeed. */
  readonly run: (program: string, args: readonly string[], input?: string) => Promise<string>;
  /** How a program ended that may fail. */
  readonly attempt: (program: string, args: readonly string[], input?: string) => Promise<ProgramEnd>;
}

/** What makes the containers of a host. Podman's command takes Docker's words. */
export type Engine = "docker" | "podman";

/**
 * A machine with a real dockerd, made of namespaces without an uplink: 10.77.0.1 and fd77::1 on eth0; one hop away, `outside` holds 169.254.169.254,
 * fd00:ec2::254, 10.77.0.254 and fd77::254. Nothing of it outlives `stop`, nor this process.
 */
export interface DockerHost extends Place {
  readonly engine: Engine;
  readonly outside: Place;
  /** The engine's command on that host; gives its output without the last line break, rejects when it fails. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const HERE = import.meta.dirname;
const IMAGE = join(HERE, "../../../.tools/docker/image.tar");
const NODE_FOLDER = join(process.execPath, "..");
let started = 0;

/** Starts a Docker host that has the image `imdsgate-test`: bash, Python, boto3 and the AWS CLI. Takes 2 to 5 s; needs root. */
export async function startDockerHost(): Promise<DockerHost> {
  return onlyHostOf(await startHosts("docker", 1));
}

/** The same machine with Podman in Docker's place, its API on /run/podman/podman.sock. */
export async function startPodmanHost(): Promise<DockerHost> {
  return onlyHostOf(await startHosts("podman", 1));
}

/** Several machines on one switch: 10.77.0.1, 10.77.0.2 and so on. To stop one stops all. */
export async function startHosts(engine: Engine, count: number): Promise<readonly DockerHost[]> {
  if (process.getuid?.() !== 0) throw new Error("a Docker host needs root");
  if (!existsSync(IMAGE)) throw new Error(`${IMAGE} is missing: ./scripts/test docker makes it`);
  started += 1;
  const cgroup = await makeCgroup(String(started));
  const init = startProgram({
    program: "bash",
    args: ["-c", `echo 0 >"$1/cgroup.procs"; shift; exec "$@"`, "-", cgroup, ...NEW_NAMESPACES, join(HERE, "switch.sh")],
    env: { ENGINE: engine, HOSTS: String(count) },
  });
  const stop = async (): Promise<void> => {
    await init.stop("SIGKILL");
    await removeCgroup(cgroup);
  };
  try {
    await init.printed(new RegExp(`(?:^docker host ready$[^]*){${count}}`, "m"));
    const switchPid = onlyChildOf(init.pid);
    const outside = placeAt(switchPid);
    const hosts = childrenOf(switchPid).map((pid) => hostAt(onlyChildOf(pid), { engine, outside, stop }));
    await Promise.all(hosts.map(({ docker }) => docker("import", ...IMAGE_SETTINGS, IMAGE, "imdsgate-test")));
    return hosts;
  } catch (error) {
    await stop();
    throw error;
  }
}

const IMAGE_SETTINGS = ["--change", `CMD ["sleep", "infinity"]`, "--change", "ENV PATH=/usr/local/bin:/usr/bin"];

function onlyHostOf([host]: readonly DockerHost[]): DockerHost {
  if (!host) throw new Error("no host was started");
  return host;
}

function hostAt(pid: number, rest: Pick<DockerHost, "engine" | "outside" | "stop">): DockerHost {
  const place = placeAt(pid);
  return { ...place, ...rest, docker: async (...args) => (await place.run(rest.engine, args)).trimEnd() };
}

// Each step dies with the one before it: setpriv's signal when this process ends, unshare's when it does, and a pid namespace with its first process.
const NEW_NAMESPACES = [
  ...["setpriv", "--pdeathsig", "KILL", "--"],
  ...["unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"],
];

function placeAt(pid: number): Place {
  const enter = (program: string, args: readonly string[], env?: Readonly<Record<string, string>>, input?: string) => ({
    program: "nsenter",
    args: ["--target", String(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", program, ...args],
    env: { PATH: `${NODE_FOLDER}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`, ...env },
    ...(input === undefined ? {} : { input }),
  });
  return {
    start: (program, args, env) => startProgram(enter(program, args, env)),
    run: (program, args, input) => runProgram(enter(program, args, undefined, input)),
    attempt: (program, args, input) => tryProgram(enter(program, args, undefined, input)),
  };
}
