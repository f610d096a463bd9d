import type { Clock } from "../clock.ts";
import { sleep, within } from "../clock.ts";
import type { Emit } from "../events.ts";
import { type Claims, containerIdIn, createJudge, type JudgeParts, judgeHostSocket } from "./judge.ts";
import type { Newcomers } from "./newcomers.ts";
import type { Roster } from "./roster.ts";
import { isHostSocket, type Source } from "./source.ts";
import { createVerdict } from "./verdict.ts";
import type { Attestation, AttestManner, Attestor, Workload } from "./workload.ts";

/** How long a container that is starting may keep a request waiting, in milliseconds (docs/contract.md, N5). */
const HOLD_MS = 5000;
/** How long the runtime may think about who has an address. */
const ANSWER_MS = 1000;
const LOOK_AGAIN_MS = 100;

const STARTING: Attestation = { kind: "starting" };
const UNLISTED: Attestation = { kind: "unknown", reason: "unlisted" };
const SILENT: Attestation = { kind: "unknown", reason: "runtime-silent" };

/**
 * Where the process that made a socket of this host is in the cgroup2 tree, without the leading slash; undefined when it cannot be found out.
 * It never rejects.
 */
export type SocketCgroup = (source: Source) => Promise<string | undefined>;

export interface AttestParts extends JudgeParts {
  readonly runtimeName: string;
  readonly clock: Clock;
  /** Static workloads by address. */
  readonly named: ReadonlyMap<string, readonly Workload[]>;
  readonly socketCgroup: SocketCgroup;
  readonly newcomers: Newcomers;
  readonly emit: Emit;
}

/** One connection of which it is asked who speaks: what is known now, and how to learn more. */
interface Inquiry {
  readonly address: string;
  readonly claims: () => Claims;
  /** Finds out in whose network namespace those are who may be in that of `ownerId` and of whom nothing is known; undefined where there are none. */
  readonly placeNewcomers: (ownerId: string) => Promise<boolean> | undefined;
  /** Asks the runtime; whether it answered. */
  readonly ask: () => Promise<boolean>;
}

/**
 * Attests against the kernel, with the runtime's word as the claim. A claim that the kernel does not bear out counts for nothing, and
 * the runtime is asked anew: neither a late event nor a remembered "nobody" decides.
 */
export function createAttest(parts: AttestParts): Attestor["attest"] {
  const { roster, clock, named, newcomers } = parts;
  const judge = createJudge(parts);
  const verdictOn = createVerdict(parts.emit);
  const isAnswered = createLookup(parts);
  const settle = createSettle(parts, verdictOn);
  const cgroupOf = remembered(parts.socketCgroup);

  /** A static workload is attested by configuration alone, unless a container has its address too: so the runtime must have been heard. */
  async function attestNamed(source: Source, workloads: readonly Workload[], manner: AttestManner): Promise<Attestation> {
    const { address } = source;
    if (!(await isHeard(manner))) return STARTING;
    let claims = judge(source);
    if (claims.live.length + claims.pending.length === 0) {
      if (!(await isRuledOut(address))) return SILENT;
      claims = judge(source);
    }
    // A container that owns the address has it too, also where this connection is not its own.
    return verdictOn(address, { ...claims, live: [...workloads, ...claims.live, ...claims.spoofed] });
  }

  async function isHeard(manner: AttestManner): Promise<boolean> {
    if (roster.isHeard() || manner === "now") return roster.isHeard();
    return within(
      clock,
      HOLD_MS,
      roster.whenHeard().then(() => true),
      false,
    );
  }

  /** Whether the runtime was asked for a container with `address`, or none of its networks could hold it. */
  async function isRuledOut(address: string): Promise<boolean> {
    if (!roster.isOnNetwork(address)) await roster.renewNetworks();
    return !roster.isOnNetwork(address) || isAnswered(address);
  }

  async function attestContainer(source: Source, manner: AttestManner): Promise<Attestation> {
    const { address } = source;
    if (newcomers.areTooMany() && !(await isHeard(manner))) return STARTING;
    const placeNewcomers = (ownerId: string) => newcomers.place(address, ownerId);
    return settle({ address, claims: () => judge(source), placeNewcomers, ask: () => isAnswered(address) }, manner);
  }

  /** A socket of this host has the host's address, and tells by its cgroup whose it is. */
  async function attestHostSocket(source: Source, manner: AttestManner): Promise<Attestation> {
    const cgroup = await cgroupOf(source);
    const id = cgroup === undefined ? undefined : containerIdIn(cgroup);
    if (cgroup === undefined || id === undefined) return UNLISTED;
    const claims = () => judgeHostSocket(parts, id, cgroup);
    const inquiry = { address: `${source.address} (${id.slice(0, 12)})`, claims, placeNewcomers: () => undefined, ask: async () => true };
    const found = await settle(inquiry, manner);
    return found.kind === "known" ? { ...found, isHostSocket: true } : found;
  }

  return (source, manner) => {
    const workloads = named.get(source.address);
    if (workloads) return attestNamed(source, workloads, manner);
    return isHostSocket(source) ? attestHostSocket(source, manner) : attestContainer(source, manner);
  };
}

/** A socket keeps the cgroup that it was made in, and its connection may be asked about more than once. */
function remembered(socketCgroup: SocketCgroup): SocketCgroup {
  const asked = new WeakMap<Source, ReturnType<SocketCgroup>>();
  return (source) => {
    const cgroup = asked.get(source) ?? socketCgroup(source);
    asked.set(source, cgroup);
    return cgroup;
  };
}

/** Brings an inquiry to its end: at once where it is settled, else by asking the runtime, and for `hold` again and again. */
function createSettle({ roster, clock }: AttestParts, verdictOn: ReturnType<typeof createVerdict>) {
  /** One question to the runtime; undefined while a container that is said to be there is not proven yet. */
  async function askOnce(inquiry: Inquiry): Promise<Attestation | undefined> {
    const isHeard = await inquiry.ask();
    const found = inquiry.claims();
    if (found.pending.length === 0) return found.live.length > 0 || isHeard ? verdictWithAll(found, inquiry) : SILENT;
    void roster.learn(found.pending);
    return undefined;
  }

  async function hold(inquiry: Inquiry, giveUpAt: number): Promise<Attestation> {
    const { claims } = inquiry;
    while (clock.now() < giveUpAt) {
      const asked = await askOnce(inquiry);
      if (asked) return asked;
      await roster.learn(claims().pending);
      const found = claims();
      if (isSettled(found)) return verdictWithAll(found, inquiry);
      await sleep(clock, LOOK_AGAIN_MS);
    }
    return STARTING;
  }

  /**
   * Who joins a namespace is there before anybody says so, and may be given something else than its owner. So what the kernel shows and what
   * is to join is asked about first; undefined where the runtime does not say.
   */
  async function withSharersKnown(found: Claims, { claims, placeNewcomers }: Inquiry): Promise<Claims | undefined> {
    const ownerId = found.live[0]?.id;
    const placing = ownerId === undefined ? undefined : placeNewcomers(ownerId);
    if (placing !== undefined && !(await inTime(placing))) return undefined;
    const placed = placing === undefined ? found : claims();
    if (placed.joiners.length === 0) return placed;
    return (await inTime(roster.learnAnew(placed.joiners))) ? claims() : undefined;
  }

  const inTime = (answer: Promise<boolean>) => within(clock, ANSWER_MS, answer, false);

  async function verdictWithAll(found: Claims, inquiry: Inquiry): Promise<Attestation> {
    const all = await withSharersKnown(found, inquiry);
    if (all === undefined) return SILENT;
    return all.live.length === 0 && all.pending.length > 0 ? STARTING : verdictOn(inquiry.address, all);
  }

  return async (inquiry: Inquiry, manner: AttestManner): Promise<Attestation> => {
    const found = await withSharersKnown(inquiry.claims(), inquiry);
    if (found === undefined) return SILENT;
    if (isSettled(found)) return verdictOn(inquiry.address, found);
    if (manner === "hold") return within(clock, HOLD_MS, hold(inquiry, clock.now() + HOLD_MS), STARTING);
    const asked = askOnce(inquiry);
    // Nobody waits for a container that is starting, but the next one who asks shall find the truth.
    return found.live.length === 0 && found.pending.length > 0 ? STARTING : ((await asked) ?? STARTING);
  };
}

/** Whether there is somebody, and nobody who is still to be proven. */
function isSettled({ live, pending }: Claims): boolean {
  return live.length > 0 && pending.length === 0;
}

/** Asks the runtime who has an address, for as long as a request can wait; a slow runtime is told once until it answers again. */
function createLookup({
  runtimeName,
  roster,
  clock,
  emit,
}: {
  readonly runtimeName: string;
  readonly roster: Roster;
  readonly clock: Clock;
  readonly emit: Emit;
}): (address: string) => Promise<boolean> {
  let isSlow = false;
  return async (address) => {
    const outcome = await within(clock, ANSWER_MS, roster.lookup(address), "late");
    if (outcome === "late" && !isSlow) emit({ kind: "runtime-slow", runtime: runtimeName, address, waitedMs: ANSWER_MS });
    isSlow = outcome === "late";
    return outcome === true;
  };
}
