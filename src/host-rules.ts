import type { Config } from "./config/config.ts";
import type { Emit, ImdsgateEvent } from "./events.ts";
import { createHostNetworkRules } from "./host-network-rules.ts";
import type { Claimant } from "./identity/inventory.ts";
import type { ProcessTable } from "./identity/process-table.ts";
import type { SourceGuard } from "./identity/source-guard.ts";
import { type BridgeGuard, probeBridgeGuard } from "./rules/bridge-guard.ts";
import { keepBridgeGuard } from "./rules/bridge-guard-keeper.ts";
import { type BridgeGuarding, createBridgeGuarding } from "./rules/bridge-guarding.ts";
import { type ForeignRefusal, listForeignRefusals } from "./rules/foreign-refusals.ts";
import type { GuardedContainer } from "./rules/guarded-ports.ts";
import { createRules, type Rules } from "./rules/rules.ts";
import type { World } from "./world.ts";

/** All that imdsgate has in the kernel of this host: put in step by step, kept, and in step with the containers that there are. */
export interface HostRules extends SourceGuard {
  readonly backend: string;
  /** Each step is told. Throws the RULES_* codes. */
  apply(parts: "closed" | "all", gatewayPort: number): Promise<void>;
  /** Takes note of all containers that there are now. */
  note(containers: readonly Claimant[]): void;
  /** The path of the cgroup of a socket that was led here, by the kernel's number; undefined where it is none of those. */
  cgroupPath(id: bigint): string | undefined;
  /**
   * Keeps the rules, the guards and the way of host-network containers until `signal` aborts, or until somebody asks for the rules' release.
   * The rules stay; the bridge guard, which would hold for containers that nobody follows any more, goes. It never rejects.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Looks at the host and chooses; changes nothing. Throws the RULES_* codes. */
export async function createHostRules(config: Config, world: World, emit: Emit): Promise<HostRules | undefined> {
  const { rules: wish, interfaces } = config;
  if (wish === "none" || wish === "external") return undefined;
  const rules = await createRules(world.runCommand, wish, interfaces);
  emit({ kind: "rules-chosen", backend: rules.backend, reason: rules.reason });
  const guard = await chooseBridgeGuard(rules, config, world, emit);
  const hostNetwork = createHostNetworkRules(rules, config, world, emit);
  return {
    backend: rules.backend,
    async apply(parts, gatewayPort) {
      await hostNetwork.prepare();
      const oldFlows = await rules.apply(parts, gatewayPort);
      emit({ kind: "rules-applied", backend: rules.backend, parts });
      await hostNetwork.putCgroupGuard();
      if (parts === "closed") return;
      if (oldFlows === "no-conntrack-tool") emit(OLD_FLOWS_LINGER);
      for (const refusal of await listForeignRefusals(world.runCommand)) emit(refusalNote(refusal));
    },
    note(containers) {
      hostNetwork.note(containers);
      guard?.bridgeGuarding.note(containers.flatMap((claimant) => guardedContainer(claimant, world.processTable)));
    },
    cgroupPath: hostNetwork.cgroupPath,
    heldSince: (id, address) => guard?.bridgeGuarding.heldSince(id, address),
    async run(signal) {
      const released = new AbortController();
      const ending = AbortSignal.any([signal, released.signal]);
      const besides = [guard?.run(ending), hostNetwork.run(ending)];
      const onRepair = () => void hostNetwork.putCgroupGuard();
      const tools = { follow: world.followCommand, clock: world.clock, emit, onRepair, onRelease: hostNetwork.letGo };
      await rules.keep(tools, signal);
      released.abort();
      await Promise.all(besides);
    },
  };
}

/** The bridge guard and its keeper; undefined where there is nobody to guard, or nothing to guard with, which is said. */
async function chooseBridgeGuard(
  rules: Rules,
  config: Config,
  { runCommand, followCommand, clock }: World,
  emit: Emit,
): Promise<{ readonly bridgeGuarding: BridgeGuarding; readonly run: (signal: AbortSignal) => Promise<void> } | undefined> {
  if (config.runtime === "none") return undefined;
  const probed: { readonly guard: BridgeGuard } | { readonly problem: string } = await probeBridgeGuard(runCommand, rules.backend);
  if ("problem" in probed) {
    emit({ kind: "rules-note", message: `${probed.problem} Until then each connection is proven by the socket of its container.` });
    return undefined;
  }
  const { guard } = probed;
  const bridgeGuarding = createBridgeGuarding({ guard, runCommand, followCommand, clock, emit });
  const keeping = { tool: guard.tool, bridgeGuarding, follow: followCommand, clock, emit };
  return {
    bridgeGuarding,
    async run(signal) {
      await Promise.all([bridgeGuarding.run(signal), keepBridgeGuard(keeping, signal)]);
    },
  };
}

function guardedContainer({ workload, pid, macs }: Claimant, processTable: ProcessTable): readonly GuardedContainer[] {
  const { id, addresses } = workload;
  if (addresses.length === 0 || macs.length === 0) return [];
  const interfaceIndexes = processTable.interfaceIndexes(pid);
  return typeof interfaceIndexes === "object" ? [{ id, interfaceIndexes, macs, addresses }] : [];
}

const OLD_FLOWS_LINGER: ImdsgateEvent = {
  kind: "rules-note",
  message: "connections to IMDS that are older than the rules linger until they time out: install conntrack to end them at once",
};

function refusalNote({ chain, help }: ForeignRefusal): ImdsgateEvent {
  return { kind: "rules-note", message: `the nftables chain ${chain} refuses redirected requests; this lets them in: ${help.join("; ")}` };
}
