import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { withDeadline } from "../deadline.ts";
import { ImdsgateError } from "../errors.ts";
import type { ContainerRuntime } from "../identity/runtime.ts";
import { keepsHostRole } from "../policy/host-role.ts";
import { probeBridgeGuard } from "../rules/bridge-guard.ts";
import { type CgroupGuard, canGuardCgroups, cgroupGuard } from "../rules/cgroup-guard.ts";
import { type CgroupTree, cgroupTree } from "../rules/cgroup-tree.ts";
import { listForeignRefusals } from "../rules/foreign-refusals.ts";
import { hostNetworkPlan } from "../rules/host-network-look.ts";
import { probeHostNetwork } from "../rules/host-network-probe.ts";
import { probeRules } from "../rules/probe.ts";
import { createRules } from "../rules/rules.ts";
import type { RunCommand } from "../run-command.ts";
import type { HostState, RuntimeState, UncoveredNetwork } from "./findings.ts";

export interface LookParts {
  readonly run: RunCommand;
  readonly clock: Clock;
  /** Undefined with `--runtime none`. */
  readonly runtime: ContainerRuntime | undefined;
  readonly signal: AbortSignal;
  /** Version of Node, without a `v`. */
  readonly node: string;
}

const RUNTIME_MS = 5_000;
/** What they send goes out by the interface below theirs, past every hook of this host. */
const PAST_THE_HOST = ["macvlan", "ipvlan"];

/** Looks at this host as `config` would have it run. It changes nothing and never rejects. */
export async function lookAtHost(config: Config, parts: LookParts): Promise<HostState> {
  const { run } = parts;
  const [chosen, foreignRefusals, conntrack, ipv6, runtime] = await Promise.all([
    chooseRules(config, run),
    listForeignRefusals(run),
    run("conntrack", ["--version"]),
    exists("/proc/net/if_inet6"),
    askRuntime(config, parts),
  ]);
  return {
    node: parts.node,
    ...chosen,
    foreignRefusals,
    hasConntrackTool: !conntrack.isMissing,
    bridgeFilter: flagOf(await readNumber("/proc/sys/net/bridge/bridge-nf-call-iptables")),
    reversePath: await readNumber("/proc/sys/net/ipv4/conf/all/rp_filter"),
    hasIpv6: ipv6,
    canReadProcesses: await exists(join(config.procRoot, "1/net/fib_trie")),
    runtime,
  };
}

async function chooseRules(
  { rules, interfaces, procRoot }: Config,
  run: RunCommand,
): Promise<Pick<HostState, "backend" | "maySeeRules" | "redirectPort" | "guard" | "hostNetwork">> {
  try {
    const isOurs = rules !== "none" && rules !== "external";
    const chosen = await createRules(run, isOurs ? rules : "auto", interfaces);
    const tree = cgroupTree({ procRoot });
    const [guard, { problem }, canGuard, redirectPort] = await Promise.all([
      probeBridgeGuard(run, chosen.backend),
      probeHostNetwork(run, chosen),
      canGuardCgroups(run, tree),
      chosen.redirectPort(),
    ]);
    const cgroups = cgroupGuard(run);
    // Where a gateway runs its guard holds already.
    const isGuarded = isOurs && canGuard && (redirectPort === undefined || !chosen.maySeeRules || (await cgroups.isHolding()));
    const plan = planHere(tree, isGuarded ? cgroups : undefined);
    return {
      backend: { name: chosen.backend, reason: chosen.reason },
      maySeeRules: chosen.maySeeRules,
      redirectPort,
      guard: "guard" in guard ? { tool: guard.guard.tool } : guard,
      hostNetwork: problem === undefined ? plan : { window: "uncovered", reason: problem },
    };
  } catch (error) {
    const problem = messageOf(error);
    const guard = { problem: "There is nothing to put a bridge guard in with." };
    const { maySeeRules } = await probeRules(run);
    return { backend: { problem }, maySeeRules, redirectPort: undefined, guard, hostNetwork: { window: "uncovered", reason: problem } };
  }
}

function planHere(tree: CgroupTree, guard: CgroupGuard | undefined): HostState["hostNetwork"] {
  const nobody = { containers: () => [], own: undefined, isElsewhere: () => false };
  const { window, reason } = hostNetworkPlan({ ...nobody, tree, guard });
  return { window, reason };
}

async function askRuntime({ hostRoles }: Config, { runtime, clock, signal }: LookParts): Promise<RuntimeState> {
  if (runtime === undefined) return { kind: "none" };
  const late = () => new ImdsgateError("RUNTIME_UNAVAILABLE", `${runtime.name} did not answer within ${RUNTIME_MS / 1_000} s`);
  try {
    return await withDeadline({ clock, ms: RUNTIME_MS, signal, late }, async (ended): Promise<RuntimeState> => {
      const [containers, networks] = await Promise.all([runtime.listContainers(ended), runtime.listNetworks(ended)]);
      const inspected = await Promise.all(networks.map(({ id }) => runtime.inspectNetwork(id, ended)));
      const known = await Promise.all(containers.map((id) => runtime.inspectContainer(id, ended)));
      return {
        kind: "answers",
        name: runtime.name,
        containers: containers.length,
        networks: inspected.flatMap((network): UncoveredNetwork[] => {
          const isPast = network !== undefined && PAST_THE_HOST.includes(network.driver) && network.endpoints.size > 0;
          return isPast ? [{ name: network.name, driver: network.driver, containers: network.endpoints.size }] : [];
        }),
        onHostNetwork: known.flatMap((container) => {
          if (container?.networkMode !== "host") return [];
          return [{ name: container.name, keepsHostRole: keepsHostRole(container, hostRoles) }];
        }),
      };
    });
  } catch (error) {
    return { kind: "silent", problem: messageOf(error) };
  }
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

function flagOf(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
