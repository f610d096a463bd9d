import { describe, expect, test } from "vitest";
import { freshnessOf } from "../../src/identity/freshness.ts";
import {
  type Claimant,
  claimsOn,
  EMPTY_INVENTORY,
  type Inventory,
  idsToInspect,
  type Sighting,
  withSightings,
} from "../../src/identity/inventory.ts";
import type { ProcessTable } from "../../src/identity/process-table.ts";
import { type Random, randomFor } from "../fuzz/random.ts";
import { from } from "../support/identity.ts";

/*
 * A world of containers in which addresses and process numbers are few, so that both go from one to the next all the time. What the runtime
 * said of it is kept, and reaches the inventory in any order, late, twice, or never. A run that fails names its number: `worldOf(SEED, number)`
 * makes it anew.
 */

const SEED = 20_261_125;
const RUNS = 3_000;
const STEPS = 40;
const IDS = ["a", "b", "c", "d", "e"];
const PIDS = [500, 501, 502];
const SUBNETS = { front: "10.0.0.0/28", back: "10.0.1.0/28" };
const ADDRESSES = { front: ["10.0.0.2", "10.0.0.3"], back: ["10.0.1.2", "10.0.1.3", "fd88::2"] };
const EVERY_ADDRESS = Object.values(ADDRESSES).flat();

type NetworkId = keyof typeof SUBNETS;

interface LivingContainer {
  readonly pid: number;
  readonly startTime: string;
  readonly addresses: Map<NetworkId, string>;
}

interface World {
  readonly living: Map<string, LivingContainer>;
  readonly networks: Set<NetworkId>;
  /** What was said and did not arrive yet. */
  readonly underWay: Sighting[];
  readonly random: Random;
  ticks: number;
}

/** Who the inventory would name for an address, when only claims count that `isProven`. */
type IsProven = (world: World, claimant: Claimant, address: string) => boolean;

const byTheKernel: IsProven = (world, claimant, address) =>
  freshnessOf(processTableOf(world), claimant, from(address), "address") === "fresh";
const byTheRuntime: IsProven = () => true;

function worldOf(seed: number, number: number): World {
  return { living: new Map(), networks: new Set<NetworkId>(["front", "back"]), underWay: [], random: randomFor(seed, number), ticks: 0 };
}

function processTableOf({ living }: World): ProcessTable {
  const processOf = (pid: number | "self") => [...living.values()].find((one) => one.pid === pid);
  return {
    startTime: (pid) => processOf(pid)?.startTime,
    ownedAddresses: (pid) => processOf(pid) && new Set(processOf(pid)?.addresses.values()),
    holdsConnection: (pid) => (processOf(pid) ? true : undefined),
    interfaceIndexes: () => [],
    cgroup: () => "",
  };
}

/** One thing happens in the world, and the runtime says something of it, which is under way from then on. */
const ACTS: readonly ((world: World, id: string) => void)[] = [
  start,
  start,
  start,
  end,
  end,
  connect,
  disconnect,
  addNetwork,
  removeNetwork,
];

function start(world: World, id: string): void {
  const pid = PIDS.find((number) => [...world.living.values()].every((one) => one.pid !== number));
  if (world.living.has(id) || pid === undefined) return;
  world.ticks += 1;
  world.living.set(id, { pid, startTime: String(world.ticks), addresses: new Map() });
  plug(world, id, world.random.pick(["front", "back"] as const));
  say(world, containerSighting(world, id));
}

function end(world: World, id: string): void {
  world.living.delete(id);
  say(world, { kind: world.random.chance(50) ? "container-gone" : "container-idle", id });
}

function connect(world: World, id: string): void {
  plug(world, id, world.random.pick(["front", "back"] as const));
  say(world, containerSighting(world, id));
}

function disconnect(world: World, id: string): void {
  const networkId = world.random.pick(["front", "back"] as const);
  world.living.get(id)?.addresses.delete(networkId);
  say(world, { kind: "endpoint-gone", containerId: id, networkId });
}

function addNetwork(world: World): void {
  const networkId = world.random.pick(["front", "back"] as const);
  world.networks.add(networkId);
  say(world, networkSighting(world, networkId));
}

function removeNetwork(world: World): void {
  const networkId = world.random.pick(["front", "back"] as const);
  if ([...world.living.values()].some(({ addresses }) => addresses.has(networkId))) return;
  world.networks.delete(networkId);
  say(world, { kind: "network-gone", id: networkId });
}

/** The first address that is free, as Docker gives them out. */
function plug(world: World, id: string, networkId: NetworkId): void {
  const taken = [...world.living.values()].map(({ addresses }) => addresses.get(networkId));
  const address = ADDRESSES[networkId].find((one) => !taken.includes(one));
  if (address === undefined || !world.networks.has(networkId)) return;
  world.living.get(id)?.addresses.set(networkId, address);
  say(world, networkSighting(world, networkId));
}

function say(world: World, sighting: Sighting): void {
  world.underWay.push(sighting);
}

function containerSighting({ living }: World, id: string): Sighting {
  const container = living.get(id);
  if (!container) return { kind: "container-gone", id };
  const { pid, startTime, addresses } = container;
  const facts = { name: id, id, image: "app:1", labels: {}, networks: [...addresses.keys()], addresses: [...addresses.values()] };
  return {
    kind: "container",
    claimant: { workload: { kind: "container", ...facts }, pid, startTime, startedAt: startTime, namespace: { kind: "own" }, macs: [] },
  };
}

function networkSighting({ living }: World, networkId: NetworkId): Sighting {
  const held = [...living].flatMap(([id, { addresses }]) => [[id, addresses.get(networkId)] as const]);
  const endpoints = held.flatMap(([id, address]) => (address === undefined ? [] : [[id, [address]] as const]));
  return { kind: "network", network: { id: networkId, subnets: [SUBNETS[networkId]], endpoints: new Map(endpoints), macs: new Map() } };
}

/** Some of what is under way arrives: in any order, some of it twice, some of it never. */
function arrive(world: World, inventory: Inventory): Inventory {
  const { random, underWay } = world;
  let after = inventory;
  while (underWay.length > 0 && random.chance(50)) {
    const [sighting] = underWay.splice(random.below(underWay.length), 1);
    if (sighting === undefined || random.chance(20)) continue;
    if (random.chance(20)) underWay.push(sighting);
    after = withSightings(after, [sighting]);
  }
  return after;
}

/** Everything is asked for anew, and nothing happens meanwhile. */
function relisted(world: World, inventory: Inventory): Inventory {
  const networks = [...world.networks].map((id) => ({ id, subnets: [SUBNETS[id]] }));
  const asked = [...world.networks].map((id) => networkSighting(world, id));
  const listed = withSightings(inventory, [{ kind: "networks", networks }, ...asked]);
  const ids = idsToInspect(listed, [...world.living.keys()]);
  return withSightings(
    listed,
    ids.map((id) => containerSighting(world, id)),
  );
}

function ownersOf({ living }: World, address: string): readonly string[] {
  return [...living].filter(([, { addresses }]) => [...addresses.values()].includes(address)).map(([id]) => id);
}

/** Runs one world; gives what went wrong in it first, and how often an address had a stale claim that was seen through. */
function live(number: number, isProven: IsProven): { readonly problem: string | undefined; readonly staleClaims: number } {
  const world = worldOf(SEED, number);
  let inventory = EMPTY_INVENTORY;
  let staleClaims = 0;
  for (let step = 0; step < STEPS; step += 1) {
    world.random.pick(ACTS)(world, world.random.pick(IDS));
    inventory = arrive(world, inventory);
    for (const address of EVERY_ADDRESS) {
      const strangers = claimsOn(inventory, address).claimants.filter(({ workload }) => !ownersOf(world, address).includes(workload.id));
      staleClaims += strangers.length;
      const wrong = strangers.find((claimant) => isProven(world, claimant, address));
      if (wrong) return { problem: `run ${number}, step ${step}: ${address} speaks for ${wrong.workload.id}`, staleClaims };
    }
  }
  return { problem: untrue(world, relisted(world, inventory), number), staleClaims };
}

/** How `inventory` differs from the world; undefined when it is the truth. */
function untrue(world: World, inventory: Inventory, number: number): string | undefined {
  for (const address of EVERY_ADDRESS) {
    const { claimants, pending } = claimsOn(inventory, address);
    const named = claimants.filter((claimant) => world.living.get(claimant.workload.id)?.startTime === claimant.startTime);
    const said = [...claimants.map(({ workload }) => workload.id), ...pending].sort();
    const isTrue = said.join() === [...ownersOf(world, address)].sort().join() && named.length === claimants.length && pending.length === 0;
    if (!isTrue)
      return `run ${number}: after a full list ${address} is ${said.join() || "nobody"}'s, not ${ownersOf(world, address).join() || "nobody"}'s`;
  }
  return undefined;
}

describe("whatever is lost, late, doubled or out of order", () => {
  const lives = () => Array.from({ length: RUNS }, (_, number) => live(number, byTheKernel));

  test("no address ever speaks for a container that does not hold it, and a full list ends in the truth", () => {
    const seen = lives();
    expect(seen.flatMap(({ problem }) => problem ?? [])).toEqual([]);
    // else nothing was tried
    expect(seen.reduce((sum, { staleClaims }) => sum + staleClaims, 0)).toBeGreaterThan(RUNS);
  });

  test("without the kernel's word the same worlds name the wrong container, so the test above can fail", () => {
    const wrong = Array.from({ length: RUNS }, (_, number) => live(number, byTheRuntime)).filter(({ problem }) => problem !== undefined);
    expect(wrong.length).toBeGreaterThan(RUNS / 2);
  });
});
