import { join } from "node:path";
import type { DockerHost, Place } from "./docker-host.ts";
import type { ProgramEnd, RunningProgram } from "./running-program.ts";

const CLI = join(import.meta.dirname, "../../../src/cli.ts");

/** The `ready` line of `imdsgate run`. */
interface Ready {
  readonly event: "ready";
  readonly listen: readonly string[];
  readonly rules: string;
}

export interface RunningGateway {
  readonly ready: Ready;
  readonly program: RunningProgram;
}

/**
 * Starts `imdsgate run` on the host with `args`, audit and log as JSON, and waits until listeners and rules stand. `wrapper` is a command that
 * ends as the one that is added to it.
 */
export async function startGateway(
  host: DockerHost,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  wrapper: readonly string[] = [],
): Promise<RunningGateway> {
  const [command = "", ...rest] = [...wrapper, process.execPath, CLI, "run", "--log-format", "json", ...args];
  const program = host.start(command, rest, env);
  const [line] = await program.printed(/^\{"event":"ready".*\}$/m);
  return { ready: JSON.parse(line), program };
}

/** Runs one command of imdsgate on the host to its end. */
export function imdsgate(host: DockerHost, ...args: readonly string[]): Promise<ProgramEnd> {
  return host.attempt(process.execPath, [CLI, ...args]);
}

/** Starts the embedded metadata service where the real one stands: on 169.254.169.254 outside of the host. */
export function startRealImds(host: DockerHost): Promise<RunningProgram> {
  return startSim(host.outside, ["imds", "--listen", "169.254.169.254:80"]);
}

/** Starts the embedded STS outside of the host; every secret it gives out holds `canary`. Gives its endpoint as the host reaches it. */
export async function startSts(host: DockerHost, canary: string): Promise<string> {
  await startSim(host.outside, ["sts", "--listen", "10.77.0.254:8090", "--canary", canary]);
  return "http://10.77.0.254:8090";
}

async function startSim(place: Place, args: readonly string[]): Promise<RunningProgram> {
  const program = place.start(process.execPath, [CLI, "sim", ...args]);
  await program.printed(/"event":"ready"/);
  return program;
}
