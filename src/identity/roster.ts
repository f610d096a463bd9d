import type { Clock } from "../clock.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit, ImdsgateEvent } from "../events.ts";
import type { CallLimit } from "./call-limit.ts";
import { createCallLimit } from "./call-limit.ts";
import { createFlights, eachOf } from "./flights.ts";
import type { Claimant, Inventory, Sighting } from "./inventory.ts";
import { claimsOn, EMPTY_INVENTORY, idsToInspect, networksOf, withSighting } from "./inventory.ts";
import type { Learn } from "./learn.ts";
import { createLearn } from "./learn.ts";
import type { ProcessTable } from "./process-table.ts";
import type { ContainerRuntime, RuntimeEvent } from "./runtime.ts";

/** The inventory, kept current by asking the runtime. Events only say what to ask about: their order and number do not matter. */
export interface Roster {
  claimsOn(address: string): ReturnType<typeof claimsOn>;
  /** Whether one of the runtime's networks could hold `address`. */
  isOnNetwork(address: string): boolean;
  /** Asks who has `address`, by a question asked after this call. False when the runtime did not answer. It never rejects. */
  lookup(address: string): Promise<boolean>;
  /** Asks about containers; joins what is under way. It never rejects. */
  learn(ids: readonly string[]): Promise<void>;
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
  isOnNetwork: () => false,
  lookup: async () => true,
  learn: async () => {},
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
/** So many questions at once when everything is listed. */
const LIST_WIDTH = 8;

/** The roster of one runtime. Questions about one thing are asked one at a time, so that the answer of the last one holds. */
export class RuntimeRoster implements Roster {
  readonly #parts: RosterParts;
  readonly #calls: CallLimit;
  readonly #learn: Learn;
  readonly #networkList = createFlights(() => this.#askNetworkList());
  readonly #networks = createFlights((id) => this.#askNetwork(id));
  readonly #containers = createFlights((id) => this.#askContainer(id));
  #inventory = EMPTY_INVENTORY;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#calls = createCallLimit(parts.runtime.name, parts.clock);
    this.#learn = createLearn(parts.runtime, parts.processTable);
  }

  claimsOn(address: string): ReturnType<typeof claimsOn> {
    return claimsOn(this.#inventory, address);
  }

  isOnNetwork(address: string): boolean {
    return networksOf(this.#inventory, address).length > 0;
  }

  async lookup(address: string): Promise<boolean> {
    const asked = networksOf(this.#inventory, address);
    const answers = await Promise.all(asked.map((id) => this.#networks.renew(id)));
    if (asked.length > 0 && asked.every((id) => this.#inventory.networks.has(id))) return answers.every(Boolean);
    // No network that we know of, or one that is gone: one may have come of which no event has told yet.
    const isListed = await this.#networkList.renew("");
    const others = networksOf(this.#inventory, address).filter((id) => !asked.includes(id));
    const more = await Promise.all(others.map((id) => this.#networks.renew(id)));
    return [...answers, isListed, ...more].every(Boolean);
  }

  async learn(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#containers.join(id)));
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
    const listed = await this.#calls.within(LIST_MS, (signal) => runtime.listContainers(signal));
    if (!(await this.#networkList.renew(""))) {
      throw new ImdsgateError(
        "RUNTIME_UNAVAILABLE",
        `${runtime.name} did not list its networks: see whether "${runtime.name} network ls" answers`,
      );
    }
    await eachOf([...this.#inventory.networks.keys()], LIST_WIDTH, this.#networks.renew);
    await eachOf(idsToInspect(this.#inventory, listed), LIST_WIDTH, this.#containers.renew);
    return this.#inventory.claimants.size;
  }

  hangUp(): void {
    this.#calls.hangUp();
  }

  #askNetworkList(): Promise<boolean> {
    const answer = this.#calls.within(NETWORKS_MS, (signal) => this.#parts.runtime.listNetworks(signal));
    return this.#take(answer, (networks) => ({ kind: "networks", networks }));
  }

  #askNetwork(id: string): Promise<boolean> {
    const answer = this.#calls.within(NETWORK_MS, (signal) => this.#parts.runtime.inspectNetwork(id, signal));
    return this.#take(answer, (network) => (network ? { kind: "network", network } : { kind: "network-gone", id }));
  }

  #askContainer(id: string): Promise<boolean> {
    const answer = this.#calls.within(CONTAINER_MS, (signal) => this.#learn(id, this.#inventory.inspected.get(id), signal));
    return this.#take(answer, (learned) => learned);
  }

  /** Whether there was an answer, which then went into the inventory. The watch tells of a runtime that is gone, the attestor of a slow one. */
  async #take<T>(answer: Promise<T>, sightingIn: (answer: T) => Sighting): Promise<boolean> {
    try {
      this.#apply(sightingIn(await answer));
      return true;
    } catch (error) {
      if (!hasCode(error, "RUNTIME_UNAVAILABLE")) this.#parts.emit(bugOf(error));
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

function bugOf(error: unknown): ImdsgateEvent {
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  return { kind: "bug", where: "identity", message, stack };
}
