import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { withDeadline } from "../deadline.ts";
import { ImdsgateError } from "../errors.ts";
import type { ContainerRuntime } from "../identity/runtime.ts";
import { listForeignRefusals } from "../rules/foreign-refusals.ts";
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
  const [probe, chosen, foreignRefusals, conntrack, ipv6, cgroups, runtime] = await Promise.all([
    probeRules(run),
    chooseRules(config, run),
    listForeignRefusals(run),
    run("conntrack", ["--version"]),
    exists("/proc/net/if_inet6"),
    cgroupsOf(),
    askRuntime(parts),
  ]);
  return {
    node: parts.node,
    backend: chosen.backend,
    maySeeRules: probe.maySeeRules,
    redirectPort: chosen.redirectPort,
    foreignRefusals,
    hasConntrackTool: !conntrack.isMissing,
    bridgeFilter: flagOf(await readNumber("/proc/sys/net/bridge/bridge-nf-call-iptables")),
    reversePath: await readNumber("/proc/sys/net/ipv4/conf/all/rp_filter"),
    hasIpv6: ipv6,
    cgroups,
    canReadProcesses: await exists(join(config.procRoot, "1/net/fib_trie")),
    runtime,
  };
}

async function chooseRules(
  { rules, interfaces }: Config,
  run: RunCommand,
): Promise<{ readonly backend: HostState["backend"]; readonly redirectPort: number | undefined }> {
  try {
    const chosen = await createRules(run, rules === "none" || rules === "external" ? "auto" : rules, interfaces);
    return { backend: { name: chosen.backend, reason: chosen.reason }, redirectPort: await chosen.redirectPort() };
  } catch (error) {
    return { backend: { problem: messageOf(error) }, redirectPort: undefined };
  }
}

async function askRuntime({ runtime, clock, signal }: LookParts): Promise<RuntimeState> {
  if (runtime === undefined) return { kind: "none" };
  const late = () => new ImdsgateError("RUNTIME_UNAVAILABLE", `${runtime.name} did not answer within ${RUNTIME_MS / 1_000} s`);
  try {
    return await withDeadline({ clock, ms: RUNTIME_MS, signal, late }, async (ended): Promise<RuntimeState> => {
      const [containers, networks] = await Promise.all([runtime.listContainers(ended), runtime.listNetworks(ended)]);
      const inspected = await Promise.all(networks.map(({ id }) => runtime.inspectNetwork(id, ended)));
      return {
        kind: "answers",
        name: runtime.name,
        containers: containers.length,
        networks: inspected.flatMap((network): UncoveredNetwork[] => {
          const isPast = network !== undefined && PAST_THE_HOST.includes(network.driver) && network.endpoints.size > 0;
          return isPast ? [{ name: network.name, driver: network.driver, containers: network.endpoints.size }] : [];
        }),
      };
    });
  } catch (error) {
    return { kind: "silent", problem: messageOf(error) };
  }
}

async function cgroupsOf(): Promise<HostState["cgroups"]> {
  if (await exists("/sys/fs/cgroup/cgroup.controllers")) return "v2";
  if (await exists("/sys/fs/cgroup/unified/cgroup.procs")) return "hybrid";
  return (await exists("/sys/fs/cgroup")) ? "v1" : undefined;
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
