import { isDeepStrictEqual } from "node:util";
import { isInBlock } from "../address.ts";
import type { RuntimeNetwork } from "./runtime.ts";
import type { Workload } from "./workload.ts";

/** A container with the process that proves it. */
export interface Claimant {
  readonly workload: Workload & { readonly id: string };
  /** Its init process in the host's pid namespace, and the start time that tells it from a later process with the same number. */
  readonly pid: number;
  readonly startTime: string;
  /** The runtime's own time stamp of this start. */
  readonly startedAt: string;
  readonly namespace: NetworkNamespace;
  /** The MAC addresses of its endpoints, as the runtime gave them. */
  readonly macs: readonly string[];
}

/** Whose network namespace a container is in: its own, the host's, or the one of another container. */
export type NetworkNamespace = { readonly kind: "own" } | { readonly kind: "host" } | { readonly kind: "shared"; readonly ownerId: string };

/** What the runtime said last. It is a claim, never proof: `attest.ts` asks the kernel each time. */
export interface Inventory {
  /** Containers with a process, as their inspection told. */
  readonly inspected: ReadonlyMap<string, Claimant>;
  readonly networks: ReadonlyMap<string, KnownNetwork>;
  /** `inspected`, each with the addresses too that only a network tells of (Swarm's docker_gwbridge). */
  readonly claimants: ReadonlyMap<string, Claimant>;
  /** Address to the ids of all containers that are said to have it, with a process or without one yet. */
  readonly byAddress: ReadonlyMap<string, readonly string[]>;
  /** Containers without a process that will join another's network namespace when they start: their ids, and whose it is. */
  readonly joiners: ReadonlyMap<string, string>;
  /**
   * Container id to the ids of those that joined its network namespace, or will, also by joining one that did. Under `NOBODY_KNOWN`: those whose
   * owner is gone, or not known yet.
   */
  readonly sharers: ReadonlyMap<string, readonly string[]>;
}

interface KnownNetwork {
  readonly subnets: readonly string[];
  readonly endpoints: RuntimeNetwork["endpoints"];
  readonly macs: RuntimeNetwork["macs"];
}

/** One thing learned about the runtime's world. Each can come late, twice or never: what was asked last holds. */
export type Sighting =
  | { readonly kind: "container"; readonly claimant: Claimant }
  /** It exists, but has no process (yet). `ownerId`: whose network namespace it will join. */
  | { readonly kind: "container-idle"; readonly id: string; readonly ownerId?: string | undefined }
  /** It has a process, of which the kernel could not be asked: nothing is known that was not before. */
  | { readonly kind: "container-unprovable"; readonly id: string }
  | { readonly kind: "container-gone"; readonly id: string }
  | { readonly kind: "networks"; readonly networks: readonly { readonly id: string; readonly subnets: readonly string[] }[] }
  | { readonly kind: "network"; readonly network: Pick<RuntimeNetwork, "id" | "subnets" | "endpoints" | "macs"> }
  | { readonly kind: "network-gone"; readonly id: string }
  | { readonly kind: "endpoint-gone"; readonly containerId: string; readonly networkId: string };

export const EMPTY_INVENTORY: Inventory = {
  inspected: new Map(),
  networks: new Map(),
  claimants: new Map(),
  byAddress: new Map(),
  joiners: new Map(),
  sharers: new Map(),
};

/** `inventory` after `sightings`, in this order; the same value when they brought nothing new. Several at once cost hardly more than one. */
export function withSightings(inventory: Inventory, sightings: readonly Sighting[]): Inventory {
  let { inspected, networks, joiners } = inventory;
  for (const sighting of sightings) {
    inspected = inspectedAfter(inspected, sighting);
    networks = networksAfter(networks, sighting);
    joiners = joinersAfter(joiners, sighting);
  }
  const isSame = inspected === inventory.inspected && networks === inventory.networks && joiners === inventory.joiners;
  if (isSame) return inventory;
  const sharers = sharersIn(inspected, joiners);
  return { inspected, networks, joiners, ...indexed(inspected, networks, new Set([...sharers.values()].flat())), sharers };
}

/** Who is said to have `address`: containers with a process, and ids of those that are known by their network alone. */
export function claimsOn(
  inventory: Inventory,
  address: string,
): { readonly claimants: readonly Claimant[]; readonly pending: readonly string[] } {
  const ids = inventory.byAddress.get(address) ?? [];
  return {
    claimants: ids.map((id) => inventory.claimants.get(id)).filter((claimant) => claimant !== undefined),
    pending: ids.filter((id) => !inventory.claimants.has(id)),
  };
}

/**
 * The containers that joined the network namespace of the container `id`, or may have, and ids of those that will when they start, or have by now.
 */
export function sharersOf(
  inventory: Inventory,
  id: string,
): { readonly sharers: readonly Claimant[]; readonly joiners: readonly string[] } {
  const ids = inventory.sharers.get(id) ?? [];
  // Whom they joined is gone, but its namespace lives on with them. One that is still to start could not do so any more.
  const orphans = inventory.sharers.get(NOBODY_KNOWN) ?? [];
  return {
    sharers: [...ids, ...orphans].map((sharer) => inventory.claimants.get(sharer)).filter((claimant) => claimant !== undefined),
    joiners: ids.filter((sharer) => inventory.joiners.has(sharer)),
  };
}

/** The ids of the networks that could hold `address`. */
export function networksOf(inventory: Inventory, address: string): readonly string[] {
  return [...inventory.networks].filter(([, { subnets }]) => subnets.some((subnet) => isInBlock(address, subnet))).map(([id]) => id);
}

/** All containers to ask about so that `inventory` ends in the truth, when the runtime lists `listed`. */
export function idsToInspect(inventory: Inventory, listed: readonly string[]): readonly string[] {
  const onNetworks = [...inventory.networks.values()].flatMap(({ endpoints }) => [...endpoints.keys()]);
  return [...new Set([...listed, ...inventory.inspected.keys(), ...inventory.joiners.keys(), ...onNetworks])];
}

function inspectedAfter(inspected: Inventory["inspected"], sighting: Sighting): Inventory["inspected"] {
  switch (sighting.kind) {
    case "container": {
      const { id } = sighting.claimant.workload;
      return isDeepStrictEqual(inspected.get(id), sighting.claimant) ? inspected : new Map(inspected).set(id, sighting.claimant);
    }
    case "container-idle":
    case "container-gone":
      return without(inspected, sighting.id);
    default:
      return inspected;
  }
}

function joinersAfter(joiners: Inventory["joiners"], sighting: Sighting): Inventory["joiners"] {
  switch (sighting.kind) {
    case "container-idle": {
      const { id, ownerId } = sighting;
      if (ownerId === undefined) return without(joiners, id);
      return joiners.get(id) === ownerId ? joiners : new Map(joiners).set(id, ownerId);
    }
    case "container":
      return without(joiners, sighting.claimant.workload.id);
    case "container-gone":
      return without(joiners, sighting.id);
    default:
      return joiners;
  }
}

function networksAfter(networks: Inventory["networks"], sighting: Sighting): Inventory["networks"] {
  switch (sighting.kind) {
    case "networks": {
      const listed = sighting.networks.map(
        ({ id, subnets }) => [id, { endpoints: new Map(), macs: new Map(), ...networks.get(id), subnets }] as const,
      );
      return changed(networks, new Map(listed));
    }
    case "network": {
      const { id, subnets, endpoints, macs } = sighting.network;
      return changed(networks, new Map(networks).set(id, { subnets, endpoints, macs }));
    }
    case "network-gone":
      return without(networks, sighting.id);
    case "endpoint-gone":
      return withoutEndpoint(networks, sighting.containerId, (id) => id === sighting.networkId);
    case "container-gone":
      return withoutEndpoint(networks, sighting.id, () => true);
    default:
      return networks;
  }
}

function withoutEndpoint(
  networks: Inventory["networks"],
  containerId: string,
  isMeant: (networkId: string) => boolean,
): Inventory["networks"] {
  const isHeld = [...networks].some(([id, { endpoints }]) => isMeant(id) && endpoints.has(containerId));
  if (!isHeld) return networks;
  return new Map(
    [...networks].map(([id, network]) => {
      const { endpoints, macs } = network;
      return [id, isMeant(id) ? { ...network, endpoints: without(endpoints, containerId), macs: without(macs, containerId) } : network];
    }),
  );
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  return map.has(key) ? new Map([...map].filter(([other]) => other !== key)) : map;
}

function changed<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  return isDeepStrictEqual(before, after) ? before : after;
}

/** Podman says of `sharing` ones too that they are on the owner's networks, with its addresses: they are there by the owner alone. */
function indexed(
  inspected: Inventory["inspected"],
  networks: Inventory["networks"],
  sharing: ReadonlySet<string>,
): Pick<Inventory, "claimants" | "byAddress"> {
  const addresses = new Map<string, Set<string>>([...inspected].map(([id, { workload }]) => [id, new Set(workload.addresses)]));
  for (const { endpoints } of networks.values()) {
    const own = [...endpoints].filter(([id]) => !sharing.has(id));
    for (const [id, found] of own) addresses.set(id, new Set([...(addresses.get(id) ?? []), ...found]));
  }
  const claimants = new Map<string, Claimant>();
  const byAddress = new Map<string, string[]>();
  for (const [id, own] of addresses) {
    const claimant = inspected.get(id);
    if (claimant) claimants.set(id, withEndpoints(claimant, own, networks));
    for (const address of own) byAddress.set(address, [...(byAddress.get(address) ?? []), id]);
  }
  return { claimants, byAddress };
}

function withEndpoints(claimant: Claimant, addresses: ReadonlySet<string>, networks: Inventory["networks"]): Claimant {
  if (addresses.size === claimant.workload.addresses.length) return claimant;
  const { id } = claimant.workload;
  const macs = [...networks.values()].flatMap((network) => network.macs.get(id) ?? []);
  return {
    ...claimant,
    macs: [...new Set([...claimant.macs, ...macs])],
    workload: { ...claimant.workload, addresses: [...addresses] },
  };
}

const NOBODY_KNOWN = "";

function sharersIn(inspected: Inventory["inspected"], joiners: Inventory["joiners"]): Inventory["sharers"] {
  const owners = new Map([...ownersOf(inspected.values()), ...joiners]);
  return Map.groupBy(owners.keys(), (id) => {
    const root = rootOf(id, owners);
    return inspected.has(root) ? root : NOBODY_KNOWN;
  });
}

/** Each container that joined another, with whose namespace it named. */
function ownersOf(claimants: Iterable<Claimant>): ReadonlyMap<string, string> {
  const joined = [...claimants].flatMap(({ workload: { id }, namespace }) =>
    namespace.kind === "shared" ? [[id, namespace.ownerId] as const] : [],
  );
  return new Map(joined);
}

/** Who joined somebody that had joined another is in the namespace of that one. */
function rootOf(id: string, owners: ReadonlyMap<string, string>): string {
  const passed = new Set<string>();
  let root = id;
  for (let next = owners.get(id); next !== undefined && !passed.has(next); next = owners.get(next)) {
    passed.add(next);
    root = next;
  }
  return owners.has(root) ? NOBODY_KNOWN : root;
}

/** Those of `claimants` that are in the host's network namespace, also by joining one that is; one that joined nobody known may be. */
export function claimantsOnHost(claimants: readonly Claimant[]): readonly Claimant[] {
  const kinds = new Map(claimants.map(({ workload, namespace }) => [workload.id, namespace.kind]));
  const owners = ownersOf(claimants);
  return claimants.filter(({ workload: { id } }) => kinds.get(rootOf(id, owners)) !== "own");
}
