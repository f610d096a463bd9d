import type { Clock } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { isInterfacePattern } from "../interface-name.ts";
import type { RunCommand } from "../run-command.ts";
import type { BackendName, StandingRules } from "./backend.ts";
import { type BridgeGuard, probeBridgeGuard } from "./bridge-guard.ts";
import { cgroupGuard } from "./cgroup-guard.ts";
import { chooseBackend, type RulesWish } from "./choose-backend.ts";
import { endOldFlows, type OldFlows } from "./conntrack.ts";
import { listUplinks } from "./default-route.ts";
import { ifPermitted, type PresentBackend, presentBackends, redirectPortIn, removeFrom, removeOne } from "./every-backend.ts";
import { type KeeperTools, KeptRules } from "./kept-rules.ts";
import { probeRules } from "./probe.ts";
import { askForRelease } from "./release-mark.ts";
import type { RuleDifference } from "./rule-differences.ts";
import type { HostNetworkCapture, RuleSet } from "./rule-set.ts";
import { tryEach } from "./try-each.ts";

/** The kernel's rules of this host, by the backend that was chosen for it. */
export interface Rules {
  readonly backend: BackendName;
  /** The program of an iptables backend, else `nft`. */
  readonly program: string;
  /** Why this backend, in one sentence. */
  readonly reason: string;
  /** As `RulesProbe.maySeeRules`. */
  readonly maySeeRules: boolean;
  /**
   * Puts the closed part or all in, replacing what stands, takes out what another backend of ours left, and ends
   * connections that are older. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED.
   */
  apply(parts: RuleSet["parts"], gatewayPort: number): Promise<OldFlows>;
  /** The text that `apply` would load. Throws like `apply`, but needs no privilege. */
  render(parts: RuleSet["parts"], gatewayPort: number): Promise<string>;
  /** As `removeAllRules`. */
  remove(): Promise<readonly string[]>;
  /** The port that a redirect of ours leads to now, whichever backend put it in; undefined where none is found. It never rejects. */
  redirectPort(): Promise<number | undefined>;
  /** What the kernel lacks or has too much of, rules of ours in another backend included. Throws like `apply`. */
  differences(parts: RuleSet["parts"], gatewayPort: number): Promise<readonly RuleDifference[]>;
  /** What stands of ours, by backend, the guards last; none where there is nothing. Throws like `apply`. */
  standing(): Promise<readonly (StandingRules & { readonly backend: string })[]>;
  /**
   * Leads host-network containers to the gateway as `hostNetwork` says from now on, undefined: none. What stands is replaced; before the
   * first `apply`, and once the rules are released, it is only remembered. Throws like `apply`.
   */
  capture(hostNetwork: HostNetworkCapture | undefined): Promise<void>;
  /**
   * Keeps in what `apply` and `capture` want by then, until `signal` aborts or somebody asks for the rules' release; before the first
   * `apply` that is nothing. It never rejects.
   */
  keep(tools: KeeperTools, signal: AbortSignal): Promise<void>;
}

/**
 * Looks at the host and chooses how the rules go in; changes nothing. `interfaces` are those of `--interface`: names, or
 * beginnings with a trailing `*`. Throws RULES_TOOL_MISSING, or CONFIG_INVALID for an interface that cannot be one.
 */
export async function createRules(run: RunCommand, wish: RulesWish, interfaces: readonly string[]): Promise<Rules> {
  for (const name of interfaces) refuseUnlikelyPattern(name);
  const probe = await probeRules(run);
  const { backend: name, program, reason } = chooseBackend(wish, probe);
  const present = presentBackends(run, probe);
  const chosen = chosenOf(present, name, program);
  const others = present.filter((other) => other !== chosen);
  const kept = new KeptRules({
    run,
    backend: chosen,
    // With interfaces of the operator's own the uplinks stand in no rule.
    listUplinks: interfaces.length > 0 ? undefined : () => listNamableUplinks(run),
    workloadInterfaces: interfaces,
  });

  return {
    backend: name,
    program,
    reason,
    maySeeRules: probe.maySeeRules,
    apply: (parts, gatewayPort) =>
      kept.inTurn(async () => {
        await kept.apply(parts, gatewayPort);
        // Only now, so that at no moment neither of the two stands.
        await tryEach(others, removeIfPermitted);
        await kept.forgetOldQuestion();
        return endOldFlows(run);
      }),
    render: async (parts, gatewayPort) => chosen.render(await kept.ruleSetFor(parts, gatewayPort)),
    remove: () =>
      kept.inTurn(() => {
        kept.letGo();
        return removeAll(run, present, name);
      }),
    redirectPort: () => redirectPortIn(present),
    async differences(parts, gatewayPort) {
      const found = [...(await chosen.differences(await kept.ruleSetFor(parts, gatewayPort)))];
      for (const other of others) found.push(...((await ifPermitted(() => other.differences(undefined))) ?? []));
      return found;
    },
    async standing() {
      const found = [{ backend: name as string, ...(await chosen.standing()) }];
      for (const other of others) found.push(...(await standingOf(other.name, other.standing)));
      const guard = await bridgeGuardOf(run, name);
      if (guard) found.push(...(await standingOf(bridgeGuardName(guard), guard.standing)));
      if (hasNft(present)) found.push(...(await standingOf(CGROUP_GUARD, cgroupGuard(run).standing)));
      return found.filter(({ chains }) => chains.length > 0);
    },
    capture: (hostNetwork) => kept.inTurn(() => kept.capture(hostNetwork)),
    keep: (tools, signal) => kept.keep(tools, signal),
  };
}

function chosenOf(present: readonly PresentBackend[], name: BackendName, program: string): PresentBackend {
  const chosen = present.find((backend) => backend.name === name);
  if (chosen === undefined) throw new ImdsgateError("RULES_TOOL_MISSING", `There is no program "${program}" on this host.`);
  return chosen;
}

/**
 * Takes our rules out, whichever backends put them in, and both guards, and names those. Containers then reach the real IMDS, and
 * the host's role there. Throws RULES_NOT_PERMITTED or RULES_FAILED, after it has tried all.
 */
export async function removeAllRules(run: RunCommand): Promise<readonly string[]> {
  const probe = await probeRules(run);
  return removeAll(run, presentBackends(run, probe), probe.hasNft ? "nftables" : "iptables-nft");
}

async function removeAll(run: RunCommand, backends: readonly PresentBackend[], name: BackendName): Promise<readonly string[]> {
  const removed: string[] = [];
  const guard = await bridgeGuardOf(run, name);
  const acts = [
    async () => {
      if (guard && (await ifPermitted(guard.remove))) removed.push(bridgeGuardName(guard));
    },
    async () => {
      if (hasNft(backends) && (await ifPermitted(cgroupGuard(run).remove))) removed.push(CGROUP_GUARD);
    },
    async () => void removed.push(...(await removeFrom(backends))),
  ];
  await tryEach(acts, (act) => act());
  return removed;
}

async function bridgeGuardOf(run: RunCommand, name: BackendName): Promise<BridgeGuard | undefined> {
  const probed = await probeBridgeGuard(run, name);
  return "guard" in probed ? probed.guard : undefined;
}

/** None where this process may not look. */
async function standingOf(backend: string, list: () => Promise<StandingRules>) {
  const standing = await ifPermitted(list);
  return standing === undefined ? [] : [{ backend, ...standing }];
}

function hasNft(present: readonly PresentBackend[]): boolean {
  return present.some(({ program }) => program === "nft");
}

const CGROUP_GUARD = "cgroup guard by nft";

function bridgeGuardName({ tool }: BridgeGuard): string {
  return `bridge guard by ${tool}`;
}

/** As `Rules.redirectPort`, for a host whose backend is not chosen. */
export async function findRedirectPort(run: RunCommand): Promise<number | undefined> {
  return redirectPortIn(presentBackends(run, await probeRules(run)));
}

/**
 * Asks a gateway that keeps rules on this host to let go of them; the rules themselves stay. Tells whether one did within 3 s. Throws
 * like `removeAllRules`.
 */
export async function releaseRules(run: RunCommand, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const holding: PresentBackend[] = [];
  for (const backend of presentBackends(run, await probeRules(run))) {
    const standing = await ifPermitted(() => backend.standing());
    if (standing !== undefined && standing.chains.length > 0) holding.push(backend);
  }
  if (holding.length === 0) return false;
  return askForRelease(
    holding.map(({ mark }) => mark),
    clock,
    signal,
  );
}

async function removeIfPermitted(backend: PresentBackend): Promise<void> {
  await ifPermitted(() => removeOne(backend));
}

/** Names stand in the rules' text, so one that a tool could read otherwise must never get there. */
function refuseUnlikelyPattern(name: string): void {
  if (isInterfacePattern(name)) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--interface: rules cannot hold ${JSON.stringify(name)}\n  allowed  up to 15 of A-Z a-z 0-9 _ . @ : -, or up to 14 and a * at the end\n  example  --interface 'br-*'`,
  );
}

async function listNamableUplinks(run: RunCommand): Promise<readonly string[]> {
  const uplinks = await listUplinks(run);
  for (const uplink of uplinks) refuseUnlikelyUplink(uplink);
  return uplinks;
}

function refuseUnlikelyUplink(name: string): void {
  if (isInterfacePattern(name) && !name.includes("*")) return;
  throw new ImdsgateError(
    "RULES_FAILED",
    `The interface ${JSON.stringify(name)}, which holds a default route, has a name that rules cannot hold. Name the interfaces of the workloads instead, as in --interface 'br-*'.`,
  );
}
