import { fileURLToPath } from "node:url";
import { startDockerStub } from "./docker-stub.ts";
import type { Lab } from "./lab.ts";
import { PATH } from "./own-network.ts";
import { startProgram } from "./program.ts";
import { ROLE_NAME } from "./stated-answers.ts";

/** What stands around the daemon: who asks, where its log and Node's compile cache go, and who answers its own questions. */
export interface Surroundings {
  readonly lab: Pick<Lab, "serverHost" | "askedHost" | "noRulesBecause" | "statics">;
  readonly directory: string;
  readonly target: string;
  readonly stsPort: number;
  readonly dockerSocket: string | undefined;
}

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));

/** What `scripts/imdsgate` starts Node with: flags, and a place for what is compiled. */
export const NODE_FLAGS = ["--max-semi-space-size=2", "--v8-pool-size=1"];
export const compileCacheIn = (directory: string) => ({ NODE_COMPILE_CACHE: `${directory}/compile-cache` });

export const logPathIn = (directory: string) => `${directory}/imdsgate.log`;

/** Starts STS and the Docker socket that tells of the lab's containers; `target` is the metadata service. */
export async function startSurroundings(lab: Lab, directory: string, target: string, owner: AsyncDisposableStack): Promise<Surroundings> {
  const sts = await startProgram({ command: [process.execPath, CLI, "sim", "sts", "--listen", "127.0.0.1:0"] }, owner);
  const dockerSocket = lab.containers.length > 0 ? `${directory}/docker.sock` : undefined;
  if (dockerSocket) await startDockerStub(dockerSocket, lab.containers, owner);
  return { lab, directory, target, stsPort: sts.port, dockerSocket };
}

/** A running daemon, and where a container asks it. */
export interface Imdsgate {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
}

const IMDS = { host: "169.254.169.254", port: 80 };

/**
 * The daemon as on a host, with rules of its own where this network can have them, its containers told of by a Docker socket and attested by the kernel; its log, with a line for each vend and
 * refusal, goes to a file. `nodeFlags` come on top of the usual ones.
 */
export async function startImdsgate(
  { lab, directory, target, stsPort, dockerSocket }: Surroundings,
  owner: AsyncDisposableStack,
  nodeFlags: readonly string[] = [],
): Promise<Imdsgate> {
  const hasRules = lab.noRulesBecause === undefined;
  const flags: readonly (readonly [string, string])[] = [
    ["--rules", hasRules ? "nftables" : "none"],
    dockerSocket ? ["--docker-socket", dockerSocket] : ["--runtime", "none"],
    ["--listen", `${hasRules ? "0.0.0.0" : lab.serverHost}:0`],
    ["--upstream", target],
    ["--sts-endpoint", `http://127.0.0.1:${stsPort}`],
    ["--account", "111111111111"],
    ["--region", "eu-central-1"],
    ["--bind", `name:web*=${ROLE_NAME}`],
    ["--log-format", "json"],
    ...lab.statics.flatMap(({ name, addresses }) =>
      addresses.map((address, index) => ["--workload", `${name}-${index}=${address}`] as const),
    ),
  ];
  const command = [
    process.execPath,
    ...NODE_FLAGS,
    ...nodeFlags,
    CLI,
    "run",
    ...flags.flat(),
    ...(hasRules ? [] : ["--listen-unprotected"]),
  ];
  const environment = {
    PATH,
    ...compileCacheIn(directory),
    AWS_ACCESS_KEY_ID: "AKIABENCHMARK0000000",
    AWS_SECRET_ACCESS_KEY: "base",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const { pid, port } = await startProgram({ command, environment, logPath: logPathIn(directory) }, owner);
  return { pid, ...(hasRules ? IMDS : { host: lab.askedHost, port }) };
}
