import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SIM_ACCOUNT, SIM_REGION } from "../../src/sim/instance-facts.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway } from "../support/docker-host/gateway.ts";
import type { RunningProgram } from "../support/docker-host/running-program.ts";

/** How the metadata service and STS are for a while. */
interface Scene {
  readonly tokens: "optional" | "required";
  /** hour: as STS has it. short: twelve seconds. moved: an hour, on clocks that `moveClock` moves. */
  readonly life: "hour" | "short" | "moved";
}

/** A Docker host with one container, whose network namespace the clients under test are started in. The container has the role `app-role`. */
export interface Stage {
  /** Who the container is to STS. */
  readonly arn: string;
  /** The container's instance profile, as `iam/info` has it. */
  readonly profile: string;
  /** Starts the metadata service, STS, S3 and `imdsgate run` for `scene`; what was started is ended with the result. */
  readonly play: (scene: Scene) => Promise<Playing>;
  readonly stop: () => Promise<void>;
}

export interface Playing extends AsyncDisposable {
  /** Starts a client in the container's network namespace, or on the host itself, whose requests are not redirected. */
  readonly start: (from: "container" | "host", command: readonly string[], env: Readonly<Record<string, string>>) => RunningProgram;
  /** Sets every clock of the scene, also of the clients in it, to `seconds` ahead of the machine's. */
  readonly moveClock: (seconds: number) => void;
}

const ROOT = join(import.meta.dirname, "../..");
const OUTSIDE = "10.77.0.254";
const STS_ENDPOINT = `http://${OUTSIDE}:8090`;
const S3_ENDPOINT = `http://${OUTSIDE}:8091`;
/** So short a life ends while the test looks on. */
const SHORT_LIFE_SECONDS = 12;

/** Starts the stage; takes some seconds and needs root. */
export async function startStage(): Promise<Stage> {
  const host = await startDockerHost();
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-clients-"));
  const stop = async (): Promise<void> => {
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const id = await host.docker("run", "--detach", "--name", "app", "imdsgate-test");
    const pid = await host.docker("inspect", "--format", "{{.State.Pid}}", "app");
    const place: StagePlace = { host, folder, pid };
    const arn = `arn:aws:sts::${SIM_ACCOUNT}:assumed-role/app-role/app-${id.slice(0, 12)}`;
    const profile = `arn:aws:iam::${SIM_ACCOUNT}:instance-profile/app-role`;
    return { arn, profile, play: (scene) => play(place, scene), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface StagePlace {
  readonly host: DockerHost;
  readonly folder: string;
  /** The container's first process, as the host numbers it. */
  readonly pid: string;
}

async function play({ host, folder, pid }: StagePlace, { tokens, life }: Scene): Promise<Playing> {
  const clock = join(folder, "clock");
  const moveClock = (seconds: number): void => writeFileSync(clock, `+${seconds}\n`);
  moveClock(0);
  const time = life === "moved" ? movedTime(clock) : {};
  await using made = new AsyncDisposableStack();
  const own = (program: RunningProgram): RunningProgram => made.adopt(program, kill);
  const serve = async (ready: RegExp, file: string, ...args: readonly string[]): Promise<void> => {
    await own(host.outside.start(process.execPath, [join(ROOT, file), ...args], time)).printed(ready);
  };

  const lifeFlags = life === "short" ? ["--life", String(SHORT_LIFE_SECONDS)] : [];
  await serve(/"ready"/, "src/cli.ts", "sim", "imds", "--listen", "169.254.169.254:80", "--tokens", tokens);
  await serve(/"ready"/, "src/cli.ts", "sim", "sts", "--listen", `${OUTSIDE}:8090`, ...lifeFlags);
  await serve(/ready/, "test/clients/s3-stub.ts", OUTSIDE, "8091", STS_ENDPOINT);
  own((await startGateway(host, ["--bind", "name:app=app-role", "--sts-endpoint", STS_ENDPOINT], time)).program);

  const owned = made.move();
  const start: Playing["start"] = (from, [program = "", ...args], env) => {
    const inNamespace = from === "container" ? ["nsenter", `--net=/proc/${pid}/ns/net`, "--"] : [];
    const [first = "", ...rest] = [...inNamespace, program, ...args];
    const home = mkdtempSync(join(folder, "home-"));
    return owned.adopt(host.start(first, rest, { ...CLIENT_ENVIRONMENT, HOME: home, ...time, ...env }), kill);
  };
  return { start, moveClock, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function kill({ stop }: RunningProgram): Promise<void> {
  await stop("SIGKILL");
}

const CLIENT_ENVIRONMENT = {
  AWS_REGION: SIM_REGION,
  AWS_DEFAULT_REGION: SIM_REGION,
  AWS_ENDPOINT_URL_STS: STS_ENDPOINT,
  S3_ENDPOINT,
};

/** What makes a program with a libc take the time from a file; its timers go on as ever. */
function movedTime(clock: string): Readonly<Record<string, string>> {
  const [library] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
  if (library === undefined) throw new Error("libfaketime is not installed");
  return { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}
