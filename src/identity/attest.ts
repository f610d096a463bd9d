import type { Clock } from "../clock.ts";
import { sleep, within } from "../clock.ts";
import type { Emit } from "../events.ts";
import { freshnessOf } from "./freshness.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Roster } from "./roster.ts";
import type { Attestation, AttestManner, Attestor, Workload } from "./workload.ts";

/** How long a container that is starting may keep a request waiting, in milliseconds (docs/contract.md, N5). */
const HOLD_MS = 5000;
/** How long the runtime may think about who has an address. */
const ANSWER_MS = 1000;
const LOOK_AGAIN_MS = 100;

const STARTING: Attestation = { kind: "starting" };
const UNLISTED: Attestation = { kind: "unknown", reason: "unlisted" };
const DOUBLED: Attestation = { kind: "unknown", reason: "doubled" };
const SILENT: Attestation = { kind: "unknown", reason: "runtime-silent" };

export interface AttestParts {
  readonly runtimeName: string;
  readonly roster: Roster;
  readonly processTable: ProcessTable;
  readonly clock: Clock;
  /** Static workloads by address. */
  readonly named: ReadonlyMap<string, readonly Workload[]>;
  readonly emit: Emit;
}

/** Workloads proven at this moment to have an address, and containers that are said to have it but are not proven yet. */
interface Claims {
  readonly live: readonly Workload[];
  readonly pending: readonly string[];
}

/**
 * Attests against the kernel, with the runtime's word as the claim. A claim that the kernel does not bear out counts for nothing, and
 * the runtime is asked anew: neither a late event nor a remembered "nobody" decides.
 */
export function createAttest(parts: AttestParts): Attestor["attest"] {
  const { roster, clock, named } = parts;
  const judge = createJudge(parts);
  const verdictOn = createVerdict(parts.emit);
  const isAnswered = createLookup(parts);

  /** A static workload is attested by configuration alone, unless a container has its address too: so the runtime must have been heard. */
  async function attestNamed(address: string, workloads: readonly Workload[], manner: AttestManner): Promise<Attestation> {
    if (!(await isHeard(manner))) return STARTING;
    let claims = judge(address);
    if (claims.live.length + claims.pending.length === 0) {
      if (!(await isRuledOut(address))) return SILENT;
      claims = judge(address);
    }
    return verdictOn(address, { ...claims, live: [...workloads, ...claims.live] });
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

  async function attestContainer(address: string, manner: AttestManner): Promise<Attestation> {
    const claims = judge(address);
    if (isSettled(claims)) return verdictOn(address, claims);
    if (manner === "hold") return within(clock, HOLD_MS, hold(address, clock.now() + HOLD_MS), STARTING);
    const asked = ask(address);
    // Nobody waits for a container that is starting, but the next one who asks shall find the truth.
    return claims.live.length === 0 && claims.pending.length > 0 ? STARTING : ((await asked) ?? STARTING);
  }

  /** One question to the runtime; undefined while a container that is said to have the address is not proven yet. */
  async function ask(address: string): Promise<Attestation | undefined> {
    const isHeard = await isAnswered(address);
    const claims = judge(address);
    if (claims.pending.length === 0) return claims.live.length > 0 || isHeard ? verdictOn(address, claims) : SILENT;
    void roster.learn(claims.pending);
    return undefined;
  }

  async function hold(address: string, giveUpAt: number): Promise<Attestation> {
    while (clock.now() < giveUpAt) {
      const asked = await ask(address);
      if (asked) return asked;
      await roster.learn(judge(address).pending);
      const claims = judge(address);
      if (isSettled(claims)) return verdictOn(address, claims);
      await sleep(clock, LOOK_AGAIN_MS);
    }
    return STARTING;
  }

  return (address, manner) => {
    const workloads = named.get(address);
    return workloads ? attestNamed(address, workloads, manner) : attestContainer(address, manner);
  };
}

/** Whether there is somebody, and nobody who is still to be proven. */
function isSettled({ live, pending }: Claims): boolean {
  return live.length > 0 && pending.length === 0;
}

function createJudge({ roster, processTable }: AttestParts): (address: string) => Claims {
  return (address) => {
    const { claimants, pending: unlearned } = roster.claimsOn(address);
    const live: Workload[] = [];
    const pending = [...unlearned];
    for (const claimant of claimants) {
      const freshness = freshnessOf(processTable, claimant, address);
      if (freshness === "fresh") live.push(claimant.workload);
      else if (freshness === "unprovable") pending.push(claimant.workload.id);
      else if (freshness === "dead") roster.drop(claimant.workload.id);
      else void roster.learn([claimant.workload.id]);
    }
    return { live, pending };
  };
}

/** The verdict on what is settled; who shares an address is told once until that changes. */
function createVerdict(emit: Emit): (address: string, claims: Claims) => Attestation {
  const told = new Map<string, string>();
  return (address, { live, pending }) => {
    const [workload] = live;
    if (live.length + pending.length < 2) {
      told.delete(address);
      return workload ? { kind: "known", workload } : UNLISTED;
    }
    const claimants = [...live.map(labelOf), ...pending.map((id) => id.slice(0, 12))].sort();
    if (told.get(address) !== claimants.join()) emit({ kind: "address-doubled", address, claimants });
    told.set(address, claimants.join());
    return DOUBLED;
  };
}

function labelOf({ name, id }: Workload): string {
  return id === undefined ? name : `${name} (${id.slice(0, 12)})`;
}

/** Asks the runtime who has an address, for as long as a request can wait; a slow runtime is told once until it answers again. */
function createLookup({ runtimeName, roster, clock, emit }: AttestParts): (address: string) => Promise<boolean> {
  let isSlow = false;
  return async (address) => {
    const outcome = await within(clock, ANSWER_MS, roster.lookup(address), "late");
    if (outcome === "late" && !isSlow) emit({ kind: "runtime-slow", runtime: runtimeName, address, waitedMs: ANSWER_MS });
    isSlow = outcome === "late";
    return outcome === true;
  };
}
