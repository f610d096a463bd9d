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
import { claimsOn, EMPTY_INVENTORY, idsToInspect, networksOf, sharersOf, withSightings } from "./inventory.ts";
import type { Learn } from "./learn.ts";
import { createLearn } from "./learn.ts";
import { createPacedRenewal } from "./paced-renewal.ts";
import { createPlaced } from "./placed.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Roster } from "./roster.ts";
import type { ContainerRuntime, RuntimeEvent } from "./runtime.ts";

export interface RosterParts {
  readonly runtime: ContainerRuntime;
  readonly processTable: ProcessTable;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Called at each change, for each container that came, went or became another. It never throws. */
  readonly onChange: (before: Claimant | undefined, after: Claimant | undefined) => void;
}

/** How long one question may take. The inspection of a container that is starting is answered when the start is done. */
const NETWORK_MS = 1000;
const NETWORKS_MS = 5000;
const CONTAINER_MS = 10_000;
const PLACE_MS = 1000;
const LIST_MS = 10_000;
/** Between two questions about one network that only strangers to it are the reason for. */
const LOOKUP_GAP_MS = 100;
/** Between two lists of networks that only static workloads are the reason for. */
const NETWORKS_GAP_MS = 1000;
/** So many questions at once when everything is listed. */
const LIST_WIDTH = 8;
/** So many answers of a list are put in at once, where nobody looks before. */
const TOGETHER = 64;

/** The roster of one runtime. Questions about one thing are asked one at a time, so that the answer of the last one holds. */
export class RuntimeRoster implements Roster {
  readonly haveAllCgroups: boolean;
  readonly #parts: RosterParts;
  readonly #learn: Learn;
  readonly #networkList = createFlights(() => this.#askNetworkList());
  readonly #networks = createFlights((id) => this.#askNetwork(id));
  readonly #containers = createFlights((id) => this.#askContainer(id));
  readonly #places = createFlights((id) => this.#askPlace(id));
  readonly #joiners = createFlights((ownerId) => this.#askJoiners(ownerId));
  readonly #placed = createPlaced();
  readonly #lookupNetworkList: Flights<boolean>["renew"];
  readonly #lookupNetwork: Flights<boolean>["renew"];
  readonly #heard = Promise.withResolvers<void>();
  readonly #ended = new AbortController();
  #isHeard = false;
  #networksRenewed: Promise<void> | undefined;
  #settled = EMPTY_INVENTORY;
  /** What was learned since. While all are listed it comes in by the thousand, and each time all is looked through. */
  #learned: Sighting[] = [];
  #isListing = false;
  /** What was asked of the networks as they are now: a static workload asks the same with each request. */
  #onNetwork = { networks: EMPTY_INVENTORY.networks, addresses: new Map<string, boolean>() };

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#learn = createLearn(parts.runtime, parts.processTable);
    this.haveAllCgroups = parts.runtime.haveAllCgroups;
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

  version(): unknown {
    return this.#inventory;
  }

  isPlaced(id: string): boolean {
    return this.#inventory.inspected.has(id) || this.#inventory.joiners.has(id) || this.#placed.has(id);
  }

  async place(ids: readonly string[]): Promise<boolean> {
    const answers: boolean[] = [];
    await eachOf(ids, LIST_WIDTH, async (id) => answers.push(this.isPlaced(id) || (await this.#places.join(id))));
    return answers.every(Boolean);
  }

  seekJoiners(ownerId: string): Promise<boolean> {
    return this.#joiners.renew(ownerId);
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
    this.#settle();
  }

  hear(event: RuntimeEvent): void {
    const sighting = sightingOf(event);
    if (sighting) this.#apply(sighting);
    this.#settle();
    if (event.kind === "network-changed") void this.#networkList.renew("");
    if ("networkId" in event) void this.#networks.renew(event.networkId);
    if ("containerId" in event) void this.#containers.renew(event.containerId).then(() => this.#settle());
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
    this.#isListing = true;
    await eachOf(idsToInspect(this.#inventory, listed), LIST_WIDTH, this.#containers.renew).finally(() => {
      this.#isListing = false;
    });
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

  async #askContainer(id: string): Promise<boolean> {
    const answer = this.#inTime(CONTAINER_MS, (signal) => this.#learn(id, this.#settled.inspected.get(id), signal));
    let isProvable = true;
    const isAnswered = await this.#take(answer, (learned) => {
      isProvable = learned.kind !== "container-unprovable";
      this.#placed.note(learned);
      return learned;
    });
    return isAnswered && isProvable;
  }

  #askPlace(id: string): Promise<boolean> {
    const answer = this.#inTime(PLACE_MS, (signal) => this.#parts.runtime.namespaceOwner(id, signal));
    return this.#take(answer, (ownerId) => {
      const sighting: Sighting = { kind: "container-idle", id, ownerId };
      this.#placed.note(sighting);
      // It may have been learned whole meanwhile, and an idle container has no process.
      return ownerId === undefined || this.isPlaced(id) ? undefined : sighting;
    });
  }

  #askJoiners(ownerId: string): Promise<boolean> {
    const answer = this.#inTime(PLACE_MS, (signal) => this.#parts.runtime.listJoiners(ownerId, signal));
    return this.#take(answer, (ids) => {
      for (const id of ids) if (!this.isPlaced(id)) this.#apply({ kind: "container-idle", id, ownerId });
      return undefined;
    });
  }

  /** Whether there was an answer, which then went into the inventory. The watch tells of a runtime that is gone, the attestor of a slow one. */
  async #take<T>(answer: Promise<T>, sightingIn: (answer: T) => Sighting | undefined): Promise<boolean> {
    try {
      const sighting = sightingIn(await answer);
      if (sighting) this.#apply(sighting);
      return true;
    } catch (error) {
      if (!hasCode(error, "RUNTIME_UNAVAILABLE")) this.#parts.emit(bugEvent("identity", error));
      return false;
    }
  }

  #apply(sighting: Sighting): void {
    this.#learned.push(sighting);
    if (!this.#isListing || this.#learned.length >= TOGETHER) this.#settle();
  }

  /** What is known at this moment. */
  get #inventory(): Inventory {
    return this.#settle();
  }

  #settle(): Inventory {
    const before = this.#settled;
    if (this.#learned.length === 0) return before;
    this.#settled = withSightings(before, this.#learned.splice(0));
    if (this.#settled !== before) tellChanges(before, this.#settled, this.#parts.onChange);
    return this.#settled;
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
