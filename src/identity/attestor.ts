import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { createAttest, type SocketCgroup } from "./attest.ts";
import { createAudience } from "./audience.ts";
import type { ContainerCgroups } from "./container-cgroups.ts";
import type { Claimant } from "./inventory.ts";
import { createNewcomers } from "./newcomers.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import { EMPTY_ROSTER, type Roster } from "./roster.ts";
import type { ContainerRuntime } from "./runtime.ts";
import { RuntimeRoster } from "./runtime-roster.ts";
import type { SourceGuard } from "./source-guard.ts";
import { watchRuntime } from "./watch.ts";
import type { Attestor, StaticWorkload, Workload } from "./workload.ts";

/** Who is there, and who speaks. */
export interface Identity extends Attestor {
  /** Follows the runtime until `signal` aborts. It never rejects. Attestation does not wait for it: what it has not learned is asked. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether the inventory or the configuration has `address`, a container that is starting included. No proof: for limits alone. */
  isListed(address: string): boolean;
  /** Calls back for each workload as it becomes known, static ones when `run` begins, and again when its facts change. It must not throw. */
  onWorkload(callback: (workload: Workload) => void): void;
  /** Calls back for each container that ended or has another name now. It must not throw. */
  onGone(callback: (workload: Workload) => void): void;
  /**
   * Calls back with all containers that have a process whenever one came, went or became another; with none while the runtime is not heard,
   * since what it does then is not known in time. It must not throw.
   */
  onContainers(callback: (containers: readonly Claimant[]) => void): void;
}

export interface IdentityParts {
  /** Undefined: there are static workloads alone. */
  readonly runtime: ContainerRuntime | undefined;
  readonly processTable: ProcessTable;
  readonly clock: Clock;
  readonly staticWorkloads: readonly StaticWorkload[];
  readonly guard: SourceGuard;
  readonly socketCgroup: SocketCgroup;
  readonly cgroups: ContainerCgroups;
  /** Whether two workloads may have the same. */
  readonly isAlike: (one: Workload, other: Workload) => boolean;
  readonly emit: Emit;
}

/** Makes the identity room. It asks nothing of anyone before `run` or the first `attest`. */
export function createIdentity(parts: IdentityParts): Identity {
  const { runtime, processTable, cgroups, clock, staticWorkloads, emit } = parts;
  const audience = createAudience(emit);
  const forContainers: ((containers: readonly Claimant[]) => void)[] = [];
  let isLive = false;
  const tellContainers = () => {
    for (const callback of forContainers) callback(isLive ? [...roster.claimants()] : []);
  };
  const onChange = (before: Claimant | undefined, after: Claimant | undefined) => {
    if (before && !after) cgroups.forget(before.workload.id);
    if (after && after.pid !== before?.pid) noteCgroup(after);
    audience.tell(before, after);
    if (isLive) tellContainers();
  };
  const noteCgroup = ({ pid, workload: { id } }: Claimant) => {
    const path = processTable.cgroup(pid, cgroups.controller);
    if (path !== undefined) cgroups.note(id, path === UNREADABLE ? "" : path);
  };
  const onLive = (live: boolean) => {
    isLive = live;
    tellContainers();
  };
  const named = Map.groupBy(staticWorkloads.map(workloadOf), ({ addresses }) => addresses[0] ?? "");
  const roster: Roster = runtime ? new RuntimeRoster({ runtime, processTable, clock, emit, onChange }) : EMPTY_ROSTER;
  const newcomers = createNewcomers({ roster, processTable, cgroups });
  return {
    attest: createAttest({ ...parts, runtimeName: runtime?.name ?? "none", roster, named, newcomers }),
    async run(signal) {
      for (const workload of [...named.values()].flat()) audience.greet(workload);
      if (runtime) await watchRuntime({ runtime, roster, clock, emit, onLive }, signal);
      roster.hangUp();
      cgroups.close();
    },
    isListed(address) {
      const { claimants, pending } = roster.claimsOn(address);
      return named.has(address) || claimants.length + pending.length > 0;
    },
    onWorkload: audience.onWorkload,
    onGone: audience.onGone,
    onContainers: (callback) => void forContainers.push(callback),
  };
}

function workloadOf({ name, address }: StaticWorkload): Workload {
  return { kind: "static", name, id: undefined, image: undefined, labels: {}, networks: [], addresses: [address] };
}
