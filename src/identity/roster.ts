import type { Clock } from "../clock.ts";
import { within } from "../clock.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit, ImdsgateEvent } from "../events.ts";
import { createFlights, eachOf } from "./flights.ts";
import type { Claimant, Inventory, Sighting } from "./inventory.ts";
import { claimsOn, EMPTY_INVENTORY, idsToInspect, networksOf, withSighting } from "./inventory.ts";
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

export function createRoster({ runtime, processTable, clock, emit, onChange }: RosterParts): Roster {
  let inventory = EMPTY_INVENTORY;
  const learn = createLearn(runtime, processTable);
  const { limited, hangUp } = createLimit(runtime.name, clock);

  /** Whether `question` had an answer, which then went to `take`. The watch tells of a runtime that is gone, the attestor of a slow one. */
  async function isAnswered<T>(question: Promise<T>, take: (answer: T) => void): Promise<boolean> {
    try {
      take(await question);
      return true;
    } catch (error) {
      if (!hasCode(error, "RUNTIME_UNAVAILABLE")) emit(bugOf(error));
      return false;
    }
  }

  function apply(sighting: Sighting): void {
    const before = inventory;
    inventory = withSighting(before, sighting);
    if (inventory !== before) tellChanges(before, inventory, onChange);
  }

  const networkList = createFlights(() =>
    isAnswered(
      limited(NETWORKS_MS, (signal) => runtime.listNetworks(signal)),
      (networks) => apply({ kind: "networks", networks }),
    ),
  );
  const networks = createFlights((id) =>
    isAnswered(
      limited(NETWORK_MS, (signal) => runtime.inspectNetwork(id, signal)),
      (network) => apply(network ? { kind: "network", network } : { kind: "network-gone", id }),
    ),
  );
  const containers = createFlights((id) =>
    isAnswered(
      limited(CONTAINER_MS, (signal) => learn(id, inventory.inspected.get(id), signal)),
      apply,
    ),
  );

  async function lookup(address: string): Promise<boolean> {
    const asked = networksOf(inventory, address);
    const answers = await Promise.all(asked.map((id) => networks.renew(id)));
    if (asked.length > 0 && asked.every((id) => inventory.networks.has(id))) return answers.every(Boolean);
    // No network that we know of, or one that is gone: one may have come of which no event has told yet.
    const isListed = await networkList.renew("");
    const others = networksOf(inventory, address).filter((id) => !asked.includes(id));
    const more = await Promise.all(others.map((id) => networks.renew(id)));
    return [...answers, isListed, ...more].every(Boolean);
  }

  async function list(): Promise<number> {
    const listed = await limited(LIST_MS, (signal) => runtime.listContainers(signal));
    if (!(await networkList.renew(""))) {
      throw new ImdsgateError(
        "RUNTIME_UNAVAILABLE",
        `${runtime.name} did not list its networks: see whether "${runtime.name} network ls" answers`,
      );
    }
    await eachOf([...inventory.networks.keys()], LIST_WIDTH, networks.renew);
    await eachOf(idsToInspect(inventory, listed), LIST_WIDTH, containers.renew);
    return inventory.claimants.size;
  }

  return {
    claimsOn: (address) => claimsOn(inventory, address),
    isOnNetwork: (address) => networksOf(inventory, address).length > 0,
    lookup,
    learn: async (ids) => void (await Promise.all(ids.map(containers.join))),
    drop: (id) => apply({ kind: "container-gone", id }),
    hear(event) {
      const sighting = sightingOf(event);
      if (sighting) apply(sighting);
      if (event.kind === "network-changed") void networkList.renew("");
      if ("networkId" in event) void networks.renew(event.networkId);
      if ("containerId" in event) void containers.renew(event.containerId);
    },
    list,
    hangUp,
  };
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

/** Calls that end after their time also when the runtime never answers, and all at once when it is told to hang up. */
function createLimit(runtimeName: string, clock: Clock) {
  const underWay = new Set<AbortController>();

  async function limited<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    underWay.add(controller);
    try {
      const answer = await within(
        clock,
        ms,
        ask(controller.signal).then((value) => ({ value })),
        undefined,
      );
      if (answer) return answer.value;
      throw new ImdsgateError(
        "RUNTIME_UNAVAILABLE",
        `${runtimeName} did not answer within ${ms} ms: see whether "${runtimeName} ps" answers`,
      );
    } finally {
      controller.abort();
      underWay.delete(controller);
    }
  }

  return {
    limited,
    hangUp() {
      for (const controller of underWay) controller.abort();
    },
  };
}
