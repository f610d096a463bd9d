import { aborted } from "./aborted.ts";
import { type Endpoint, endpointText } from "./address.ts";
import { keepRunning } from "./background.ts";
import { within } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { createBaseCredentials } from "./credentials/base-credentials.ts";
import { createHostFacts } from "./credentials/host-facts.ts";
import { Leases } from "./credentials/leases.ts";
import { createMint } from "./credentials/mint.ts";
import { partitionOf } from "./credentials/partition.ts";
import { createPrefetch } from "./credentials/prefetch.ts";
import { withRefusalsTold } from "./credentials/role-refusals.ts";
import { createStsBudget } from "./credentials/sts-budget.ts";
import { ImdsgateError } from "./errors.ts";
import type { Emit, ImdsgateEvent } from "./events.ts";
import { answer, OWN_QUESTION, type Rooms } from "./gateway/answer.ts";
import type { ConnectionContext } from "./gateway/connection.ts";
import { createImdsRate, UNLIMITED } from "./gateway/imds-rate.ts";
import { createImdsTokens } from "./gateway/imds-token.ts";
import { createLimits } from "./gateway/limits.ts";
import { passThrough } from "./gateway/pass-through.ts";
import { createSelfCheck } from "./gateway/self-check.ts";
import { createGateway, type Gateway } from "./gateway/server.ts";
import type { HandedOver } from "./handover/handed-over.ts";
import { createIdentity } from "./identity/attestor.ts";
import { containerCgroups, NO_CGROUPS } from "./identity/container-cgroups.ts";
import { socketCgroup } from "./identity/socket-cgroup.ts";
import type { Source } from "./identity/source.ts";
import type { Workload } from "./identity/workload.ts";
import { createImdsClient } from "./imds-client.ts";
import type { Upstream } from "./imds-exchange.ts";
import { type Decision, decide, type HostFacts, isSameDecision, type Policy, requiresImdsv2 } from "./policy/decide.ts";
import { keepsHostRole } from "./policy/host-role.ts";
import { createRuleKeeping, type RuleKeeping } from "./rule-keeping.ts";
import { externalRedirect, watchExternalRedirect } from "./rules/external.ts";
import type { World } from "./world.ts";

/** The closed part guards the gateway's port; while a free one is not chosen yet, it guards one that nobody serves. */
const DISCARD_PORT = 9;

const WAITING_FOR_RULES: ImdsgateEvent = {
  kind: "rules-note",
  message: "--rules external: no rule leads 169.254.169.254 to this gateway yet; waiting for it",
};

/** How long the start waits for the upstream to turn out to be this gateway. A slower one still ends the run, by `failure`. */
const SELF_CHECK_MS = 250;

const HOST_FACTS_MS = 2_000;
/** How long a gateway that takes another's place waits for the list of containers: the other one answers meanwhile. */
const INVENTORY_MS = 2_000;

/** The whole program, built and not yet running. */
export interface Daemon {
  /** Closed part of the rules, inventory, listeners, redirect: in this order. Throws LISTEN_FAILED, UPSTREAM_IS_SELF and RULES_*. */
  start(): Promise<void>;
  /** Rejects when it cannot go on: with UPSTREAM_IS_SELF. */
  failure(): Promise<never>;
  /** Puts down what only one gateway may do, rules, guard and renewals, and gives what the next one needs; it serves on. */
  handOver(): Promise<HandedOver>;
  /** There is no next gateway: takes up again what `handOver` put down. */
  goOn(): void;
  /** The other way round: answers in flight end (at most 5 s). The rules stay, so that containers reach no IMDS at all. */
  stop(reason: string): Promise<void>;
  /** Where it listens; empty before `start`. */
  listening(): readonly Endpoint[];
  /** The backend that put the rules in; `none` or `external` where imdsgate did not. */
  rules(): string;
}

/** Builds every room from the configuration and the world. Nothing runs until `start`. */
export function createDaemon(config: Config, world: World, emit: Emit, version: string): Daemon {
  const running = new AsyncDisposableStack();
  const ending = new AbortController();
  const rules = createRuleKeeping({ config, world, emit, running, ending: ending.signal });
  const rooms = buildRooms({ config, world, emit, rules, ending: ending.signal });
  let started: Promise<void> | undefined;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  let listening: readonly Endpoint[] = [];

  async function startRooms(): Promise<void> {
    emit({ kind: "starting", version, upstream: endpointText(config.upstream), runtime: config.runtime });
    for (const message of config.warnings) emit({ kind: "config-warning", message });
    await rules.close(config.listen[0]?.port || DISCARD_PORT);
    if (ending.signal.aborted) return;

    running.defer(rooms.prefetch.stop);
    keepRunning(running, (signal) => rooms.identity.run(signal));
    keepRunning(running, (signal) => rooms.base.run(signal));
    keepRunning(running, (signal) => rooms.leases.run(signal));
    const facts = Promise.withResolvers<void>();
    keepRunning(running, (signal) => rooms.hostFacts.run(signal).then(facts.resolve).then(rooms.prefetch.lookAgain));
    running.defer(() => rooms.gateway.stop());
    listening = await listenInTime(config, world, { ...rooms, facts: facts.promise, ending: ending.signal });
    await refuseToFeedOurselves();
    if (ending.signal.aborted) return;

    const gatewayPort = listening[0]?.port ?? 0;
    await rules.open(gatewayPort);
    const redirect = { run: world.runCommand, clock: world.clock, gatewayPort };
    if (config.rules !== "external") return;
    await externalRedirect(redirect, () => emit(WAITING_FOR_RULES), ending.signal);
    keepRunning(running, (signal) => watchExternalRedirect(redirect, emit, signal));
  }

  /** Rejects if the upstream turns out to be this gateway; a slow upstream is not waited for, but still fails the run. */
  async function refuseToFeedOurselves(): Promise<void> {
    const checked = rooms.isUpstreamSelf().then((isSelf) => isSelf && failed.reject(upstreamIsSelf(config.upstream)));
    await Promise.race([within(world.clock, SELF_CHECK_MS, checked, undefined), failed.promise]);
  }

  return {
    start: () => (started ??= startRooms()),
    failure: () => failed.promise,
    async handOver() {
      await rules.putDown();
      return { leases: await rooms.leases.handOver(), ...handedFacts(rooms.hostFacts.current()) };
    },
    goOn() {
      rules.takeUp();
      rooms.leases.goOn();
    },
    async stop(reason) {
      emit({ kind: "stopping", reason });
      ending.abort();
      // Whatever step of the start is under way ends first: nothing may begin, and no rule change, after the rooms have ended.
      await started?.catch(() => {});
      await running.disposeAsync();
    },
    listening: () => listening,
    rules: rules.backend,
  };
}

interface Listening {
  readonly gateway: Gateway;
  /** Resolves when the containers were listed, or cannot be. */
  readonly listed: Promise<void>;
  /** Resolves when Region and account are known. */
  readonly facts: Promise<void>;
  readonly ending: AbortSignal;
}

/**
 * In sockets that listen already connections wait: better a little longer than to be refused by who does not know its account yet. Where
 * another gateway answers meanwhile, the list of containers is waited for too.
 */
async function listenInTime(config: Config, world: World, { gateway, listed, facts, ending }: Listening): Promise<readonly Endpoint[]> {
  const { clock, listeningDescriptors, handedOver, runtime } = world;
  if (handedOver && runtime) await within(clock, INVENTORY_MS, Promise.race([listed, aborted(ending)]), undefined);
  if (listeningDescriptors.length > 0) await within(clock, HOST_FACTS_MS, Promise.race([facts, aborted(ending)]), undefined);
  return ending.aborted ? [] : gateway.listen(config.listen, listeningDescriptors);
}

interface RoomParts {
  readonly config: Config;
  readonly world: World;
  readonly emit: Emit;
  readonly rules: RuleKeeping;
  readonly ending: AbortSignal;
}

function buildRooms({ config, world, emit, rules, ending }: RoomParts) {
  const { clock, random } = world;
  const sts = withRefusalsTold(world.sts, { clock, emit, ending });
  const upstream: Upstream = { endpoint: config.upstream, connect: world.connect, clock };
  const imds = createImdsClient(upstream);
  const base = createBaseCredentials({ operatorCredentials: world.operatorCredentials, imds, clock, emit });
  const { policy, deniedPaths, unknown, unbound } = config;
  const hostFacts = createHostFacts({
    ...knownPlace(config, world),
    isAccountNeeded: hasBareRole(policy),
    imds,
    base,
    sts,
    clock,
    random,
    emit,
  });
  const mint = createMint({ sts, base, hostFacts: hostFacts.current, clock, emit });
  const leases = new Leases({ mint, budget: createStsBudget(clock), clock, random, emit, handed: world.handedOver?.leases });
  const decideNow = (workload: Workload) => decide(workload, policy, hostFacts.current());
  const { identity, listed } = buildIdentity({ config, world, emit, rules }, decideNow);
  const prefetch = createPrefetch({ clock, decide: decideNow, leases });
  identity.onWorkload(prefetch.seen);
  identity.onGone(prefetch.gone);

  const rate = config.imdsRate === undefined ? UNLIMITED : createImdsRate(config.imdsRate, clock);
  const forward: Rooms["forward"] = async ({ head, source, untilGone }, body, kind) =>
    (await rate.turn(kind, source.address)) ? passThrough(head, body, upstream, untilGone()) : undefined;
  const tokens = createImdsTokens({ ask: async (question) => ((await rate.turn("other", PROBE)) ? imds.ask(question) : noTurn()) }, clock);
  const imdsv2 = {
    isAskedOfAnyone: policy.requireImdsv2 || policy.bindings.some(({ requireImdsv2 }) => requireImdsv2 === true),
    isAskedOf: (workload: Workload | undefined) => requiresImdsv2(workload, policy),
  };
  const rooms: Rooms = {
    ...{ clock, identity, decide: decideNow, leases, tokens, forward, deniedPaths, unknown, unbound, imdsv2 },
    keepsHostRole: (workload) => keepsHostRole(workload, config.hostRoles),
  };
  const selfCheck = createSelfCheck(random);
  const answerOne: ConnectionContext["answer"] = async (request) => {
    if (selfCheck.isOwn(request.head.fields)) return OWN_QUESTION;
    return answer(request, rooms);
  };
  const speakerOf = async (source: Source) => {
    const speaker = await identity.attest(source, "now");
    return speaker.kind === "known" ? speaker.workload : undefined;
  };
  const gateway = createGateway({ clock, emit, deniedPaths, answer: answerOne, speakerOf }, createLimits(identity.isListed));
  return {
    identity,
    base,
    hostFacts,
    leases,
    prefetch,
    gateway,
    listed,
    isUpstreamSelf: () => selfCheck.isUpstreamSelf(imds),
  };
}

/** Who is there; the rules follow them. */
function buildIdentity({ config, world, emit, rules }: Omit<RoomParts, "ending">, decideNow: (workload: Workload) => Decision) {
  const { runtime, processTable, runCommand, clock } = world;
  const identity = createIdentity({
    ...{ runtime, processTable, clock, staticWorkloads: config.workloads, guard: rules, emit },
    isAlike: (one, other) => isSameDecision(decideNow(one), decideNow(other)),
    socketCgroup: (source) => socketCgroup(runCommand, source, rules.cgroupPath),
    cgroups: runtime ? containerCgroups("/sys/fs/cgroup", config.procRoot) : NO_CGROUPS,
  });
  const listed = Promise.withResolvers<void>();
  identity.onContainers((containers) => {
    rules.note(containers);
    listed.resolve();
  });
  return { identity, listed: listed.promise };
}

/** What is not looked up: as configured, else as another gateway found it out. */
function knownPlace({ region, account }: Config, { handedOver }: World): Pick<HandedOver, "region" | "account"> {
  return { region: region ?? handedOver?.region, account: account ?? handedOver?.account };
}

/** The account comes with the partition of whoever said it, which stand-ins for AWS have of their own: then it is looked up anew. */
function handedFacts({ region, account, partition }: HostFacts): Pick<HandedOver, "region" | "account"> {
  const isPartitionOfRegion = region !== undefined && partitionOf(region) === partition;
  return { region, account: isPartitionOfRegion ? account : undefined };
}

/** All token probes have their turns together: they are remembered, so that no container causes many. */
const PROBE = "token probe";

function noTurn(): never {
  throw new ImdsgateError("UPSTREAM_UNAVAILABLE", "the real IMDS was not asked: --imds-rate left no turn for 5 s");
}

function upstreamIsSelf(upstream: Endpoint): ImdsgateError {
  return new ImdsgateError(
    "UPSTREAM_IS_SELF",
    `--upstream http://${endpointText(upstream)} leads back to this gateway: name the real IMDS there`,
  );
}

/** Whether a role of the host's own account is meant somewhere: only then must the account be known. */
function hasBareRole({ bindings, defaultRole }: Policy): boolean {
  return [...bindings.map(({ role }) => role), defaultRole].some((role) => role?.kind === "name");
}
