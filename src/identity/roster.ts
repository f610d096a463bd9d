import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { sleep, within } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import { bugEvent } from "../events.ts";
import type { Flights } from "./flights.ts";
import { createFlights, eachOf } from "./flights.ts";
import type { Claimant, Inventory, Sighting } from "./inventory.ts";
import { claimsOn, EMPTY_INVENTORY, idsToInspect, networksOf, sharersOf, withSighting } from "./inventory.ts";
import type { Learn } from "./learn.ts";
import { createLearn } from "./learn.ts";
import { createPacedRenewal } from "./paced-renewal.ts";
import type { ProcessTable } from "./process-table.ts";
import type { ContainerRuntime, RuntimeEvent } from "./runtime.ts";

/** The inventory, kept current by asking the runtime. Events only say what to ask about: their order and number do not matter. */
export interface Roster {
  claimsOn(address: string): ReturnType<typeof claimsOn>;
  /** The container `id`, if it has a process. */
  claimant(id: string): Claimant | undefined;
  /** All containers that have a process. */
  claimants(): Iterable<Claimant>;
  /** The containers that joined the network namespace of the container `id`, and ids of those that will when they start, or have by now. */
  sharersOf(id: string): ReturnType<typeof sharersOf>;
  /** Whether one of the runtime's networks could hold `address`. */
  isOnNetwork(address: string): boolean;
  /** Whether everything was listed once, or the runtime turned out to be absent. */
  isHeard(): boolean;
  /** Resolves when `isHeard` becomes true. */
  whenHeard(): Promise<void>;
  /** Takes note that nobody answers where the runtime should be. */
  noteAbsence(): void;
  /** Asks for the list of networks, if that was not done within the last second. Waits up to 1 s for the answer; it never rejects. */
  renewNetworks(): Promise<void>;
  /**
   * Asks who has `address`, by a question asked after this call; a runtime is asked that about one network ten times a second at most.
   * False when the runtime did not answer. It never rejects.
   */
  lookup(address: string): Promise<boolean>;
  /** Asks about containers; joins what is under way. Whether there was an answer about each. It never rejects. */
  learn(ids: readonly string[]): Promise<boolean>;
  /** As `learn`, by questions that are asked after this call. */
  learnAnew(ids: readonly string[]): Promise<boolean>;
  /** Forgets a container whose process is gone. */
  drop(id: string): void;
  hear(event: RuntimeEvent): void;
  /** Asks for everything; gives the number of containers. Rejects with RUNTIME_UNAVAILABLE when the runtime does not list them. */
  list(): Promise<number>;
  /** Ends all questions under way. */
  hangUp(): void;
}

export interface RosterParts {
  readonly runtime: ContainerRuntime;
  readonly processTable: ProcessTable;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Called at each change, for each container that came, went or became another. It never throws. */
  readonly onChange: (before: Claimant | undefined, after: Claimant | undefined) => void;
}

/** The roster where there is no runtime: nobody is on it, and it knows that at once. */
export const EMPTY_ROSTER: Roster = {
  claimsOn: (address) => claimsOn(EMPTY_INVENTORY, address),
  claimant: () => undefined,
  claimants: () => [],
  sharersOf: (id) => sharersOf(EMPTY_INVENTORY, id),
  isOnNetwork: () => false,
  isHeard: () => true,
  whenHeard: async () => {},
  noteAbsence: () => {},
  renewNetworks: async () => {},
  lookup: async () => true,
  learn: async () => true,
  learnAnew: async () => true,
  drop: () => {},
  hear: () => {},
  list: async () => 0,
  hangUp: () => {},
};

/** How long one question may take. The inspection of a container that is starting is answered when the start is done. */
const NETWORK_MS = 1000;
const NETWORKS_MS = 5000;
const CONTAINER_MS = 10_000;
const LIST_MS = 10_000;
/** Between two questions about one network that only strangers to it are the reason for. */
const LOOKUP_GAP_MS = 100;
/** Between two lists of networks that only static workloads are the reason for. */
const NETWORKS_GAP_MS = 1000;
/** So many questions at once when everything is listed. */
const LIST_WIDTH = 8;

/** The roster of one runtime. Questions about one thing are asked one at a time, so that the answer of the last one holds. */
export class RuntimeRoster implements Roster {
  readonly #parts: RosterParts;
  readonly #learn: Learn;
  readonly #networkList = createFlights(() => this.#askNetworkList());
  readonly #networks = createFlights((id) => this.#askNetwork(id));
  readonly #containers = createFlights((id) => this.#askContainer(id));
  readonly #lookupNetworkList: Flights<boolean>["renew"];
  readonly #lookupNetwork: Flights<boolean>["renew"];
  readonly #heard = Promise.withResolvers<void>();
  readonly #ended = new AbortController();
  #isHeard = false;
  #networksRenewed: Promise<void> | undefined;
  #inventory = EMPTY_INVENTORY;
  /** What was asked of the networks as they are now: a static workload asks the same with each request. */
  #onNetwork = { networks: EMPTY_INVENTORY.networks, addresses: new Map<string, boolean>() };

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#learn = createLearn(parts.runtime, parts.processTable);
    setMaxListeners(0, this.#ended.signal);
    const gap = () => sleep(parts.clock, LOOKUP_GAP_MS, this.#ended.signal);
    this.#lookupNetworkList = createPacedRenewal(this.#networkList.renew, gap);
    this.#lookupNetwork = createPacedRenewal(this.#networks.renew, gap);
  }

  claimsOn(address: string): ReturnType<typeof claimsOn> {
    return claimsOn(this.#inventory, address);
  }

  claimant(id: string): Claimant | undefined {
    return this.#inventory.claimants.get(id);
  }

  claimants(): Iterable<Claimant> {
    return this.#inventory.claimants.values();
  }

  sharersOf(id: string): ReturnType<typeof sharersOf> {
    return sharersOf(this.#inventory, id);
  }

  isOnNetwork(address: string): boolean {
    const { networks } = this.#inventory;
    if (this.#onNetwork.networks !== networks) this.#onNetwork = { networks, addresses: new Map() };
    const { addresses } = this.#onNetwork;
    const isOn = addresses.get(address) ?? networksOf(this.#inventory, address).length > 0;
    addresses.set(address, isOn);
    return isOn;
  }

  isHeard(): boolean {
    return this.#isHeard;
  }

  whenHeard(): Promise<void> {
    return this.#heard.promise;
  }

  noteAbsence(): void {
    this.#noteHeard();
  }

  renewNetworks(): Promise<void> {
    this.#networksRenewed ??= this.#renewNetworksOnce();
    return this.#networksRenewed;
  }

  async lookup(address: string): Promise<boolean> {
    const asked = networksOf(this.#inventory, address);
    const answers = await Promise.all(asked.map((id) => this.#lookupNetwork(id)));
    if (asked.length > 0 && asked.every((id) => this.#inventory.networks.has(id))) return answers.every(Boolean);
    // No network that we know of, or one that is gone: one may have come of which no event has told yet.
    const isListed = await this.#lookupNetworkList("");
    const others = networksOf(this.#inventory, address).filter((id) => !asked.includes(id));
    const more = await Promise.all(others.map((id) => this.#lookupNetwork(id)));
    return [...answers, isListed, ...more].every(Boolean);
  }

  async learn(ids: readonly string[]): Promise<boolean> {
    const answers = await Promise.all(ids.map((id) => this.#containers.join(id)));
    return answers.every(Boolean);
  }

  async learnAnew(ids: readonly string[]): Promise<boolean> {
    const answers = await Promise.all(ids.map((id) => this.#containers.renew(id)));
    return answers.every(Boolean);
  }

  drop(id: string): void {
    this.#apply({ kind: "container-gone", id });
  }

  hear(event: RuntimeEvent): void {
    const sighting = sightingOf(event);
    if (sighting) this.#apply(sighting);
    if (event.kind === "network-changed") void this.#networkList.renew("");
    if ("networkId" in event) void this.#networks.renew(event.networkId);
    if ("containerId" in event) void this.#containers.renew(event.containerId);
  }

  async list(): Promise<number> {
    const { runtime } = this.#parts;
    const listed = await this.#inTime(LIST_MS, (signal) => runtime.listContainers(signal));
    if (!(await this.#networkList.renew(""))) {
      throw new ImdsgateError(
        "RUNTIME_UNAVAILABLE",
        `${runtime.name} did not list its networks: see whether "${runtime.name} network ls" answers`,
      );
    }
    await eachOf([...this.#inventory.networks.keys()], LIST_WIDTH, this.#networks.renew);
    await eachOf(idsToInspect(this.#inventory, listed), LIST_WIDTH, this.#containers.renew);
    this.#noteHeard();
    return this.#inventory.claimants.size;
  }

  hangUp(): void {
    this.#ended.abort();
  }

  #noteHeard(): void {
    this.#isHeard = true;
    this.#heard.resolve();
  }

  /** While the list is under way for longer than anybody waits, what is known must do. */
  #renewNetworksOnce(): Promise<void> {
    const { clock } = this.#parts;
    const listed = this.#networkList.renew("");
    void Promise.all([listed, sleep(clock, NETWORKS_GAP_MS, this.#ended.signal)]).then(() => {
      this.#networksRenewed = undefined;
    });
    return within(clock, NETWORK_MS, listed, false).then(() => {});
  }

  /** What `ask` gives; RUNTIME_UNAVAILABLE after `ms` milliseconds, and when it is hung up. */
  #inTime<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, runtime } = this.#parts;
    const late = () =>
      new ImdsgateError("RUNTIME_UNAVAILABLE", `${runtime.name} did not answer within ${ms} ms: see whether "${runtime.name} ps" answers`);
    return withDeadline({ clock, ms, signal: this.#ended.signal, late }, ask);
  }

  #askNetworkList(): Promise<boolean> {
    const answer = this.#inTime(NETWORKS_MS, (signal) => this.#parts.runtime.listNetworks(signal));
    return this.#take(answer, (networks) => ({ kind: "networks", networks }));
  }

  #askNetwork(id: string): Promise<boolean> {
    const answer = this.#inTime(NETWORK_MS, (signal) => this.#parts.runtime.inspectNetwork(id, signal));
    return this.#take(answer, (network) => (network ? { kind: "network", network } : { kind: "network-gone", id }));
  }

  #askContainer(id: string): Promise<boolean> {
    const answer = this.#inTime(CONTAINER_MS, (signal) => this.#learn(id, this.#inventory.inspected.get(id), signal));
    return this.#take(answer, (learned) => learned);
  }

  /** Whether there was an answer, which then went into the inventory. The watch tells of a runtime that is gone, the attestor of a slow one. */
  async #take<T>(answer: Promise<T>, sightingIn: (answer: T) => Sighting): Promise<boolean> {
    try {
      this.#apply(sightingIn(await answer));
      return true;
    } catch (error) {
      if (!hasCode(error, "RUNTIME_UNAVAILABLE")) this.#parts.emit(bugEvent("identity", error));
      return false;
    }
  }

  #apply(sighting: Sighting): void {
    const before = this.#inventory;
    this.#inventory = withSighting(before, sighting);
    if (this.#inventory !== before) tellChanges(before, this.#inventory, this.#parts.onChange);
  }
}

/** What an event itself tells. Forgetting is always safe: who is still there is learned anew. */
function sightingOf(event: RuntimeEvent): Sighting | undefined {
  if (event.kind === "died") return { kind: "container-gone", id: event.containerId };
  if (event.kind === "disconnected") return { kind: "endpoint-gone", containerId: event.containerId, networkId: event.networkId };
  return undefined;
}

function tellChanges({ claimants: before }: Inventory, { claimants: after }: Inventory, onChange: RosterParts["onChange"]): void {
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(id) !== after.get(id)) onChange(before.get(id), after.get(id));
  }
}
