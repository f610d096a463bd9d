import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type DockerHost, startDockerHost } from "../../support/docker-host/docker-host.ts";
import { startRealImds, startSts } from "../../support/docker-host/gateway.ts";
import { onlyChildOf, type RunningProgram } from "../../support/docker-host/running-program.ts";
import { type DockerApi, dockerApi } from "./docker-api.ts";
import { type DockerProxy, startDockerProxy } from "./docker-proxy.ts";

/** Where containers find the asking program and write down what they saw. */
export const CHURN_FOLDER = "/run/churn";
export const ACCOUNT = "123456789012";
/** Where `startSts` listens. */
export const STS_ENDPOINT = "http://10.77.0.254:8090";
/** Its role is the number in a container's label `churn.role`, or in its name. */
export const ROLES = 16;
/** Pools so small that an address which comes free is given out again at once. */
export const NETWORKS = { small: ["10.201.0.0/28"], second: ["10.202.0.0/28"], six: ["10.203.0.0/28", "fd88:9::/124"] };

/** A Docker host under churn, with a gateway that can be killed and knows Docker through a door that can be jammed. */
export interface ChurnStage {
  readonly host: DockerHost;
  readonly docker: DockerApi;
  /** Docker's own socket, which nothing jams. */
  readonly dockerSocket: string;
  readonly proxy: DockerProxy;
  /** The folder of answers, as this process sees it. */
  readonly answers: string;
  killGateway(): Promise<void>;
  startGateway(): Promise<void>;
  /** Ends dockerd with SIGKILL and starts it anew. */
  restartDockerd(hasLiveRestore: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** With its containerd, which ends with it; a new dockerd takes what is not waited for yet as alive. */
const KILL_DOCKERD = `
dockerd=$(</run/docker.pid) containerd=$(</run/docker/containerd/containerd.pid)
kill -KILL "$dockerd"
while kill -0 "$dockerd" "$containerd" 2>/dev/null; do :; done`;
/** Lines of the log that a container with its role, or without a binding, makes with each question. */
const ORDINARY = `'"imdsgate\\.vend"|"no-binding"'`;
const LOOK_EVERY_MS = 50;
const LIMIT_MS = 60_000;

/** What the gateway runs from, and which file gets its log. */
export interface GatewayPlace {
  /** The checkout. */
  readonly tree: string;
  /** Undefined: one that goes with the stage. */
  readonly log: string | undefined;
}

/** Sets the stage up. Takes 5 to 10 s; needs root. */
export async function startChurnStage(place: GatewayPlace): Promise<ChurnStage> {
  const host = await startDockerHost();
  try {
    return await furnish(host, place);
  } catch (error) {
    await host.stop();
    throw error;
  }
}

async function furnish(host: DockerHost, place: GatewayPlace): Promise<ChurnStage> {
  const root = rootOf(host);
  const folder = join(root, CHURN_FOLDER);
  mkdirSync(join(folder, "answers"), { recursive: true });
  cpSync(join(import.meta.dirname, "asker.py"), join(folder, "asker.py"));
  await startRealImds(host);
  await startSts(host, "secret");
  const dockerSocket = join(root, "run/docker.sock");
  const docker = dockerApi(dockerSocket);
  for (const [name, subnets] of Object.entries(NETWORKS)) await docker.createNetwork(name, subnets);
  const proxy = await startDockerProxy(join(folder, "docker.sock"), dockerSocket);
  const start = () => startGateway(host, place);
  let gateway = await start();
  return {
    host,
    docker,
    dockerSocket,
    proxy,
    answers: join(folder, "answers"),
    async killGateway() {
      await gateway.stop("SIGKILL");
    },
    async startGateway() {
      gateway = await start();
    },
    async restartDockerd(hasLiveRestore) {
      await host.run("bash", ["-c", KILL_DOCKERD]);
      const flags = ["--data-root", "/run/docker-data", "--experimental", "--ip6tables", ...(hasLiveRestore ? ["--live-restore"] : [])];
      const dockerd = host.start("dockerd", flags);
      await untilAnswered(docker, dockerd);
    },
    async stop() {
      await proxy.close();
      await host.stop();
    },
  };
}

/** The host's files, as this process sees them: through a process that lives there as long as it does. */
function rootOf(host: DockerHost): string {
  const { pid } = host.start("sleep", ["infinity"]);
  const deadline = performance.now() + LIMIT_MS;
  for (let inside = onlyChildOf(pid); performance.now() < deadline; inside = onlyChildOf(pid)) {
    if (inside !== pid) return `/proc/${inside}/root`;
  }
  throw new Error("nothing starts on the Docker host");
}

/** Its log is left out where it tells of vends, and of what a container without a binding was refused: a long run's would fill the memory. */
async function startGateway(host: DockerHost, { tree, log = `${CHURN_FOLDER}/gateway.log` }: GatewayPlace): Promise<RunningProgram> {
  const bindings = Array.from({ length: ROLES }, (_, n) => [`label:churn.role=${n}=role-${n}`, `name:named-${n}-*=role-${n}`]).flat();
  const program = host.start("bash", [
    "-c",
    `log=$1; shift; exec "$@" 2> >(exec grep --line-buffered --invert-match --extended-regexp ${ORDINARY} &>>"$log")`,
    "-",
    log,
    process.execPath,
    join(tree, "src/cli.ts"),
    "run",
    ...["--log-format", "json", "--account", ACCOUNT, "--sts-endpoint", STS_ENDPOINT, "--docker-socket", `${CHURN_FOLDER}/docker.sock`],
    ...bindings.flatMap((binding) => ["--bind", binding]),
  ]);
  try {
    await program.printed(/^\{"event":"ready".*\}$/m);
  } catch (error) {
    throw new Error(await host.run("tail", ["--lines=5", log]), { cause: error });
  }
  return program;
}

async function untilAnswered(docker: DockerApi, dockerd: RunningProgram): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (performance.now() < deadline) {
    if (
      await docker.ping().then(
        () => true,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`dockerd does not answer after its restart:\n${dockerd.stderr()}`);
}
