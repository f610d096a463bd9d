import { type Clock, sleep } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { containerIdOf } from "./container-cgroup.ts";
import type { Emit } from "./events.ts";
import { type Claimant, claimantsOnHost } from "./identity/inventory.ts";
import { type ProcessTable, UNREADABLE } from "./identity/process-table.ts";
import { type CgroupGuardSet, canGuardCgroups, cgroupGuard } from "./rules/cgroup-guard.ts";
import { createFailureTeller } from "./rules/failure-teller.ts";
import { followHostNetwork } from "./rules/follow-host-network.ts";
import type { HostNetworkPlan } from "./rules/host-network.ts";
import { guardCgroups, type HostNetworkParts, hostNetworkPlan } from "./rules/host-network-look.ts";
import { probeHostNetwork } from "./rules/host-network-probe.ts";
import type { Rules } from "./rules/rules.ts";
import { createTurns } from "./rules/turns.ts";
import type { RunCommand } from "./run-command.ts";
import type { World } from "./world.ts";

/** Leads the containers with the host's network to the gateway, as far as this kernel can tell them from the host. */
export interface HostNetworkRules {
  /** Takes note of all containers that there are now. */
  note(containers: readonly Claimant[]): void;
  /** The path of the cgroup of a socket that was led here, by the kernel's number; undefined where it is none of those. */
  cgroupPath(id: bigint): string | undefined;
  /** Before the first rules: they replace those that an earlier gateway left, and must catch what those caught from their first moment on. */
  prepare(): Promise<void>;
  /** Puts the cgroup guard in, where there can be one; a failure is told. It never rejects. */
  putCgroupGuard(): Promise<void>;
  /** Puts in what belongs to the cgroups that come and go, until `signal` aborts; then the guard for as long as the next gateway may take. It never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Puts no guard in from now on, and waits for one that is being put in. It never rejects. */
  letGo(): Promise<void>;
}

/** No effect until `prepare`. */
export function createHostNetworkRules(rules: Rules, config: Config, world: World, emit: Emit): HostNetworkRules {
  if (config.runtime === "none") return withoutContainers(world.runCommand);
  const { runCommand, processTable, cgroupTree: tree, clock } = world;
  let containers: readonly Claimant[] = [];
  let elsewhere: ReadonlySet<string> = new Set();
  let caught: readonly string[] = [];
  let told = "";
  let isPrepared = false;

  function tell({ window, reason }: Pick<HostNetworkPlan, "window" | "reason">): void {
    if (told !== window) emit({ kind: "host-network", window, reason });
    told = window;
  }

  async function capture(plan: HostNetworkPlan): Promise<void> {
    caught = plan.capture?.caught ?? [];
    await rules.capture(plan.capture);
  }

  /** Undefined where this kernel can tell none of them from the host, which is told. What could not be had is asked for anew: a busy host's tool may be killed. */
  async function partsHere(): Promise<HostNetworkParts | undefined> {
    const [{ problem }, canGuard] = await Promise.all([probeHostNetwork(runCommand, rules), canGuardCgroups(runCommand, tree)]);
    if (problem !== undefined) tell({ window: "uncovered", reason: problem });
    const guard = canGuard ? cgroupGuard(runCommand) : undefined;
    const here = {
      tree,
      guard,
      own: placeOf(processTable),
      containers: () => cgroupsOnHost(containers, processTable),
      isElsewhere: (name: string) => elsewhere.has(containerIdOf(name) ?? ""),
    };
    return problem === undefined ? here : undefined;
  }
  const parts = onceWhole(partsHere, (here) => here?.guard !== undefined);
  const guarding = createCgroupGuarding(parts, emit);

  return {
    note(noted) {
      containers = noted;
      elsewhere = idsElsewhere(noted);
    },
    cgroupPath: (id) => tree.pathOf(String(id), caught),
    async prepare() {
      const here = isPrepared ? undefined : await parts();
      isPrepared = true;
      if (here !== undefined) await capture(hostNetworkPlan(here));
    },
    async putCgroupGuard() {
      await guarding.put();
    },
    letGo: guarding.letGo,
    async run(signal) {
      const here = await parts();
      if (here === undefined) return;
      const onPlan = async (plan: HostNetworkPlan) => {
        await capture(plan);
        tell(plan);
      };
      const follow = () => followHostNetwork({ ...here, clock }, { onPlan, onGuard: guarding.put }, signal);
      await tryAgainAndAgain(follow, { clock, emit, backend: rules.backend }, signal);
      // The rules stay, the guard does not: what it alone holds back is to have its rule by then.
      await capture(hostNetworkPlan(here)).catch(() => {});
      await guarding.put();
    },
  };
}

/** Puts the guard in, one time after the other: what was seen last is put in last. Failures are told. */
function createCgroupGuarding(parts: () => Promise<HostNetworkParts | undefined>, emit: Emit) {
  const failures = createFailureTeller("cgroup guard", emit);
  const inTurn = createTurns();
  let isLetGo = false;
  return {
    /** Gives what it knows; undefined where it is not in. */
    async put(): Promise<CgroupGuardSet | undefined> {
      const here = await parts();
      return inTurn(async () => {
        try {
          const set = here === undefined || isLetGo ? undefined : await guardCgroups(here);
          failures.isOver();
          return set;
        } catch (error) {
          failures.tell(error);
          return undefined;
        }
      });
    },
    async letGo(): Promise<void> {
      isLetGo = true;
      await inTurn(async () => {});
    },
  };
}

/** Asks until the answer is whole, and gives that from then on. */
function onceWhole<T>(ask: () => Promise<T>, isWhole: (answer: T) => boolean): () => Promise<T> {
  let whole: { readonly answer: T } | undefined;
  return async () => {
    const answer = whole ? whole.answer : await ask();
    if (isWhole(answer)) whole = { answer };
    return answer;
  };
}

/** Where no container is followed nothing is led here; and the guard of an earlier gateway would hold back this one and whatever else is new. */
function withoutContainers(run: RunCommand): HostNetworkRules {
  const nothing = async () => {};
  return {
    note: () => {},
    cgroupPath: () => undefined,
    prepare: nothing,
    async putCgroupGuard() {
      await cgroupGuard(run)
        .remove()
        .catch(() => {});
    },
    run: nothing,
    letGo: nothing,
  };
}

/** Our own place. */
function placeOf(processTable: ProcessTable): string | undefined {
  const own = processTable.cgroup("self");
  return own === UNREADABLE ? undefined : own;
}

function idsElsewhere(containers: readonly Claimant[]): ReadonlySet<string> {
  const onHost = new Set(claimantsOnHost(containers).map(({ workload }) => workload.id));
  return new Set(containers.map(({ workload }) => workload.id).filter((id) => !onHost.has(id)));
}

function cgroupsOnHost(containers: readonly Claimant[], processTable: ProcessTable): readonly string[] {
  const paths = claimantsOnHost(containers).map(({ pid }) => processTable.cgroup(pid));
  return paths.filter((path) => typeof path === "string");
}

const TRY_AGAIN_MS = 1_000;

/** Does `act` until it ends without a failure; each other failure is told. */
async function tryAgainAndAgain(
  act: () => Promise<void>,
  { clock, emit, backend }: { readonly clock: Clock; readonly emit: Emit; readonly backend: string },
  signal: AbortSignal,
): Promise<void> {
  const failures = createFailureTeller(backend, emit);
  for (let isDone = false; !isDone && !signal.aborted; ) {
    try {
      await act();
      isDone = true;
    } catch (error) {
      failures.tell(error);
      await sleep(clock, TRY_AGAIN_MS, signal);
    }
  }
}
