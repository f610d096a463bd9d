import type { Clock } from "../clock.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import { isInterfacePattern } from "../interface-name.ts";
import type { FollowCommand, RunCommand } from "../run-command.ts";
import type { Backend, BackendName, StandingRules } from "./backend.ts";
import { chooseBackend, type RulesProbe, type RulesWish } from "./choose-backend.ts";
import { endOldFlows, type OldFlows } from "./conntrack.ts";
import { listUplinks } from "./default-route.ts";
import { iptablesBackend } from "./iptables.ts";
import { keepRules } from "./keeper.ts";
import { nftablesBackend } from "./nftables.ts";
import { probeRules } from "./probe.ts";
import { ruleChanges } from "./rule-changes.ts";
import type { RuleDifference } from "./rule-differences.ts";
import type { RuleSet } from "./rule-set.ts";
import { tryEach } from "./try-each.ts";

/** The kernel's rules of this host, by the backend that was chosen for it. */
export interface Rules {
  readonly backend: BackendName;
  /** Why this backend, in one sentence. */
  readonly reason: string;
  /**
   * Puts the closed part or all in, replacing what stands, takes out what another backend of ours left, and ends
   * connections that are older. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED.
   */
  apply(parts: RuleSet["parts"], gatewayPort: number): Promise<OldFlows>;
  /** The text that `apply` would load. Throws like `apply`, but needs no privilege. */
  render(parts: RuleSet["parts"], gatewayPort: number): Promise<string>;
  /** As `removeAllRules`. */
  remove(): Promise<readonly BackendName[]>;
  /** The port that a redirect of ours leads to now, whichever backend put it in; undefined where none is found. It never rejects. */
  redirectPort(): Promise<number | undefined>;
  /** What the kernel lacks or has too much of, rules of ours in another backend included. Throws like `apply`. */
  differences(parts: RuleSet["parts"], gatewayPort: number): Promise<readonly RuleDifference[]>;
  /** What stands of ours, by backend; none where there is nothing. Throws like `apply`. */
  standing(): Promise<readonly (StandingRules & { readonly backend: BackendName })[]>;
  /** Keeps in what `apply` put in last, until `signal` aborts; before the first `apply` that is nothing. It never rejects. */
  keep(tools: KeeperTools, signal: AbortSignal): Promise<void>;
}

/** What `keep` needs besides: how it hears of changes, and whom it tells. */
interface KeeperTools {
  readonly follow: FollowCommand;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * Looks at the host and chooses how the rules go in; changes nothing. `interfaces` are those of `--interface`: names, or
 * beginnings with a trailing `*`. Throws RULES_TOOL_MISSING, or CONFIG_INVALID for an interface that cannot be one.
 */
export async function createRules(run: RunCommand, wish: RulesWish, interfaces: readonly string[]): Promise<Rules> {
  for (const name of interfaces) refuseUnlikelyPattern(name);
  const probe = await probeRules(run);
  const { backend: name, program, reason } = chooseBackend(wish, probe);
  const chosen = name === "nftables" ? nftablesBackend(run) : iptablesBackend(run, name === "iptables-nft" ? "nft" : "legacy", program);

  async function ruleSetOf(parts: RuleSet["parts"], gatewayPort: number): Promise<RuleSet> {
    const uplinkInterfaces = await listUplinks(run);
    // With interfaces of the operator's own the uplinks stand in no rule.
    if (interfaces.length === 0) for (const uplink of uplinkInterfaces) refuseUnlikelyUplink(uplink);
    return { parts, gatewayPort, uplinkInterfaces, workloadInterfaces: interfaces };
  }

  let applied: RuleSet | undefined;
  const others = () => backendsOf(run, probe).filter((other) => other.name !== chosen.name);

  return {
    backend: chosen.name,
    reason,
    async apply(parts, gatewayPort) {
      const ruleSet = await ruleSetOf(parts, gatewayPort);
      await chosen.apply(ruleSet);
      applied = ruleSet;
      // Only now, so that at no moment neither of the two stands.
      await tryEach(others(), removeIfPermitted);
      return endOldFlows(run);
    },
    async render(parts, gatewayPort) {
      return chosen.render(await ruleSetOf(parts, gatewayPort));
    },
    remove: () => removeFrom(backendsOf(run, probe)),
    redirectPort: () => redirectPortIn(backendsOf(run, probe)),
    async differences(parts, gatewayPort) {
      const found = [...(await chosen.differences(await ruleSetOf(parts, gatewayPort)))];
      for (const other of others()) found.push(...((await ifPermitted(() => other.differences(undefined))) ?? []));
      return found;
    },
    async standing() {
      const found = [{ backend: chosen.name, ...(await chosen.standing()) }];
      for (const other of others()) {
        const standing = await ifPermitted(() => other.standing());
        if (standing !== undefined) found.push({ backend: other.name, ...standing });
      }
      return found.filter(({ chains }) => chains.length > 0);
    },
    async keep(tools, signal) {
      if (applied !== undefined) await keepApplied(applied, tools, signal);
    },
  };

  function keepApplied(wanted: RuleSet, { follow, clock, emit }: KeeperTools, signal: AbortSignal): Promise<void> {
    async function putIn(parts: RuleSet["parts"]): Promise<void> {
      await chosen.apply(parts === "closed" ? { ...wanted, parts } : wanted);
      // What was opened while the way was open must not go on.
      await endOldFlows(run);
    }
    const watch = ruleChanges(chosen.name, follow, clock);
    return keepRules({ backend: chosen.name, look: () => chosen.differences(wanted), putIn, watch, clock, emit }, signal);
  }
}

/**
 * Takes our rules out, whichever backends put them in, and names those. Containers then reach the real IMDS, and the
 * host's role there. Throws RULES_NOT_PERMITTED or RULES_FAILED, after it has tried all.
 */
export async function removeAllRules(run: RunCommand): Promise<readonly BackendName[]> {
  return removeFrom(backendsOf(run, await probeRules(run)));
}

/** As `Rules.redirectPort`, for a host whose backend is not chosen. */
export async function findRedirectPort(run: RunCommand): Promise<number | undefined> {
  return redirectPortIn(backendsOf(run, await probeRules(run)));
}

async function redirectPortIn(backends: readonly Backend[]): Promise<number | undefined> {
  for (const backend of backends) {
    // A tool that cannot look is no reason to leave containers open; putting the rules in tells what is wrong with it.
    const port = await backend.redirectPort().catch(() => undefined);
    if (port !== undefined) return port;
  }
  return undefined;
}

async function removeFrom(backends: readonly Backend[]): Promise<readonly BackendName[]> {
  const removed: BackendName[] = [];
  await tryEach(backends, async (backend) => {
    if (await backend.remove()) removed.push(backend.name);
  });
  return removed;
}

async function removeIfPermitted(backend: Backend): Promise<void> {
  await ifPermitted(() => backend.remove());
}

/** With CAP_NET_ADMIN alone iptables-legacy may not be looked into; then it was not us who put anything there. */
async function ifPermitted<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (hasCode(error, "RULES_NOT_PERMITTED")) return undefined;
    throw error;
  }
}

/** Every backend whose tool is on this host: no other can have left anything that we could take out. */
function backendsOf(run: RunCommand, probe: RulesProbe): Backend[] {
  return [
    ...(probe.hasNft ? [nftablesBackend(run)] : []),
    ...(probe.nft === undefined ? [] : [iptablesBackend(run, "nft", probe.nft.program)]),
    ...(probe.legacy === undefined ? [] : [iptablesBackend(run, "legacy", probe.legacy.program)]),
  ];
}

/** Names stand in the rules' text, so one that a tool could read otherwise must never get there. */
function refuseUnlikelyPattern(name: string): void {
  if (isInterfacePattern(name)) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--interface: rules cannot hold ${JSON.stringify(name)}\n  allowed  up to 15 of A-Z a-z 0-9 _ . @ : -, or up to 14 and a * at the end\n  example  --interface 'br-*'`,
  );
}

function refuseUnlikelyUplink(name: string): void {
  if (isInterfacePattern(name) && !name.includes("*")) return;
  throw new ImdsgateError(
    "RULES_FAILED",
    `The interface ${JSON.stringify(name)}, which holds a default route, has a name that rules cannot hold. Name the interfaces of the workloads instead, as in --interface 'br-*'.`,
  );
}
