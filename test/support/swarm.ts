import { setTimeout as delay } from "node:timers/promises";
import { type DockerHost, startHosts } from "./docker-host/docker-host.ts";
import { type LoggedAnswer, loggedAnswers, ROLE_ASKER } from "./docker-host/role-asker.ts";

/** One container of a service, as its own host has it. */
export interface Task {
  readonly id: string;
  readonly service: string;
  readonly host: DockerHost;
  /** What it was told so far. */
  readonly answers: readonly LoggedAnswer[];
}

/** Docker hosts that form a swarm with an overlay network `ov`; the first one manages it. */
export interface Swarm {
  readonly hosts: readonly DockerHost[];
  readonly manager: DockerHost;
  /** Creates a service whose tasks ask for their role without end, and waits until all run. */
  readonly createService: (name: string, replicas: number, ...options: readonly string[]) => Promise<void>;
  /** Scales a service and waits until so many tasks run. */
  readonly scale: (service: string, replicas: number) => Promise<void>;
  /** The tasks that run now, on all hosts. */
  readonly tasks: () => Promise<readonly Task[]>;
  readonly stop: () => Promise<void>;
}

const LIMIT_SECONDS = 300;
const LIST = ["ps", "--no-trunc", "--filter", "label=com.docker.swarm.service.name"];
const FORMAT = `{{.ID}} {{.Label "com.docker.swarm.service.name"}}`;
// The kernel may have no IPVS, which virtual addresses of services need. A task is killed at once, and looked up nowhere.
const TASK_OPTIONS = [
  ...["--endpoint-mode", "dnsrr", "--network", "ov", "--no-resolve-image"],
  ...["--stop-signal", "KILL", "--env", "PAUSE_SECONDS=1", "--detach"],
];

/** Makes a swarm of `count` hosts; takes some seconds and needs root. */
export async function startSwarm(count: number): Promise<Swarm> {
  const hosts = await startHosts("docker", count);
  const [manager, ...workers] = hosts;
  if (!manager) throw new Error("a swarm has a manager");
  try {
    await joinAll(manager, workers);
    await manager.docker("network", "create", "--driver", "overlay", "--attachable", "ov");
  } catch (error) {
    await manager.stop();
    throw error;
  }
  const scale = async (service: string, replicas: number): Promise<void> => {
    await manager.docker("service", "scale", "--detach", `${service}=${replicas}`);
    await runningTasks(hosts, service, replicas);
  };
  return {
    hosts,
    manager,
    scale,
    async createService(name, replicas, ...options) {
      await manager.docker("service", "create", "--name", name, ...TASK_OPTIONS, ...options, "imdsgate-test", ...ROLE_ASKER);
      await scale(name, replicas);
    },
    tasks: async () => (await Promise.all(hosts.map(tasksOn))).flat(),
    stop: () => manager.stop(),
  };
}

async function joinAll(manager: DockerHost, workers: readonly DockerHost[]): Promise<void> {
  await manager.docker("swarm", "init", "--advertise-addr", "10.77.0.1");
  const joinToken = await manager.docker("swarm", "join-token", "--quiet", "worker");
  for (const [index, worker] of workers.entries()) {
    await worker.docker("swarm", "join", "--token", joinToken, "--advertise-addr", `10.77.0.${index + 2}`, "10.77.0.1:2377");
  }
}

/** Waits until `replicas` containers of `service` run, on all hosts together, and none is left that is to go. */
async function runningTasks(hosts: readonly DockerHost[], service: string, replicas: number): Promise<void> {
  const giveUpAt = performance.now() + LIMIT_SECONDS * 1000;
  let found = -1;
  while (performance.now() < giveUpAt) {
    const listed = await Promise.all(hosts.map(({ docker }) => docker(...LIST, "--format", FORMAT)));
    found = listed.flatMap((text) => text.split("\n")).filter((line) => line.endsWith(` ${service}`)).length;
    if (found === replicas) return;
    await delay(500);
  }
  throw new Error(`${found} of ${replicas} tasks of ${service} run after ${LIMIT_SECONDS} s`);
}

/** Reads all logs of a host with one program: a `docker logs` for each would keep the machine from starting tasks. */
async function tasksOn(host: DockerHost): Promise<readonly Task[]> {
  const listed = (await host.docker(...LIST, "--format", FORMAT)).split("\n").filter((line) => line !== "");
  const tasks = listed.map((line) => line.split(" ")).map(([id = "", service = ""]) => ({ id, service }));
  const logs = await host.run("bash", ["-c", READ_LOGS, "-", ...tasks.map(({ id }) => id)]);
  return logs
    .split("\f")
    .slice(1)
    .map((log, index) => ({ id: "", service: "", ...tasks[index], host, answers: loggedAnswers(textOf(log)) }));
}

/** dockerd's own files, one after the other: a form feed, then lines of JSON. */
const READ_LOGS = `for id; do printf '\\f'; cat "/run/docker-data/containers/$id/$id-json.log"; done`;

function textOf(log: string): string {
  const lines = log.split("\n").filter((line) => line.endsWith("}"));
  return lines.map((line) => JSON.parse(line).log).join("");
}
