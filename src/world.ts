import { randomBytes } from "node:crypto";
import net from "node:net";
import type { Duplex } from "node:stream";
import type { Endpoint } from "./address.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { Sts } from "./credentials/assume-role.ts";
import type { OperatorCredentials } from "./credentials/load-base-credentials.ts";
import { sdkCredentials } from "./credentials/operator-credentials.ts";
import { awsSts } from "./credentials/sts.ts";
import type { HandedOver } from "./handover/handed-over.ts";
import { dockerRuntime } from "./identity/docker.ts";
import type { DockerEndpoint } from "./identity/docker-endpoint.ts";
import { podmanRuntime } from "./identity/podman.ts";
import { type ProcessTable, procProcessTable } from "./identity/process-table.ts";
import type { ContainerRuntime } from "./identity/runtime.ts";
import { type CgroupTree, cgroupTree } from "./rules/cgroup-tree.ts";
import { type FollowCommand, followCommand, type RunCommand, runCommand } from "./run-command.ts";

/** Opens a connection. The stream emits `connect` or `error`; each side may end before the other. */
export type Connect = (endpoint: Endpoint) => Duplex;

/** Every effect that the rooms have on the outside, but for listening. A simulation replaces this value, nothing else. */
export interface World {
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly runCommand: RunCommand;
  readonly followCommand: FollowCommand;
  readonly connect: Connect;
  readonly processTable: ProcessTable;
  readonly cgroupTree: CgroupTree;
  /** Undefined with `--runtime none`. */
  readonly runtime: ContainerRuntime | undefined;
  readonly sts: Sts;
  /** Keys from the environment, a profile, SSO or a web identity. */
  readonly operatorCredentials: OperatorCredentials;
  /** Sockets that listen already, left to this process by a service manager; none: the gateway opens its own. */
  readonly listeningDescriptors: readonly number[];
  /** What a gateway that serves still hands to this one; undefined: there is none. */
  readonly handedOver: HandedOver | undefined;
}

/** The real world for `config`. Making it has no effect. */
export function createWorld(config: Config): World {
  return {
    clock: systemClock,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    runCommand,
    followCommand,
    connect: ({ host, port }) => net.connect({ host, port, allowHalfOpen: true, noDelay: true }),
    processTable: procProcessTable(config.procRoot),
    cgroupTree: cgroupTree({ procRoot: config.procRoot }),
    runtime: config.docker && runtimeAt(config.docker, config.runtime),
    sts: awsSts(config.stsEndpoint),
    operatorCredentials: sdkCredentials(config.upstream, config.region),
    listeningDescriptors: [],
    handedOver: undefined,
  };
}

function runtimeAt(docker: DockerEndpoint, runtime: Config["runtime"]): ContainerRuntime {
  return runtime === "podman" ? podmanRuntime(docker, systemClock) : dockerRuntime(docker, systemClock);
}
