import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Claimant, Inventory, Sighting } from "../../src/identity/inventory.ts";
import {
  claimantsOnHost,
  claimsOn,
  EMPTY_INVENTORY,
  idsToInspect,
  networksOf,
  sharersOf,
  withSightings,
} from "../../src/identity/inventory.ts";

function claimant(id: string, addresses: readonly string[], startTime = "1"): Claimant {
  return {
    workload: { kind: "container", name: id, id, image: "app:1", labels: {}, networks: ["bridge"], addresses },
    pid: 7,
    startTime,
    startedAt: startTime,
    namespace: { kind: "own" },
    macs: [],
  };
}

const SHARED = { kind: "shared", ownerId: "a" } as const;

function network(id: string, endpoints: Readonly<Record<string, readonly string[]>>): Sighting {
  return { kind: "network", network: { id, subnets: ["10.0.0.0/24"], endpoints: new Map(Object.entries(endpoints)), macs: new Map() } };
}

const withSighting = (inventory: Inventory, sighting: Sighting) => withSightings(inventory, [sighting]);
const inventoryOf = (...sightings: readonly Sighting[]) => sightings.reduce(withSighting, EMPTY_INVENTORY);

describe("who is said to have an address", () => {
  test("a container that only its network tells of is pending until it has a process", () => {
    const starting = inventoryOf(network("n", { a: ["10.0.0.2"] }));
    expect(claimsOn(starting, "10.0.0.2")).toEqual({ claimants: [], pending: ["a"] });
    const a = claimant("a", ["10.0.0.2"]);
    expect(claimsOn(withSighting(starting, { kind: "container", claimant: a }), "10.0.0.2")).toEqual({ claimants: [a], pending: [] });
  });

  test("an address that only the network tells of is the container's too, as Swarm's on docker_gwbridge", () => {
    const both = claimant("a", ["10.0.1.2", "10.0.0.2"]);
    const inventory = inventoryOf({ kind: "container", claimant: claimant("a", ["10.0.1.2"]) }, network("gwbridge", { a: ["10.0.0.2"] }));
    expect([claimsOn(inventory, "10.0.0.2"), claimsOn(inventory, "10.0.1.2")]).toEqual(Array(2).fill({ claimants: [both], pending: [] }));
  });

  test.for([
    { name: "that runs", sighting: { kind: "container", claimant: { ...claimant("b", []), namespace: SHARED } } },
    { name: "that will run", sighting: { kind: "container-idle", id: "b", ownerId: "a" } },
  ] as const)("the owner alone, where a network names also a container in its network namespace $name, as Podman's do", ({ sighting }) => {
    const a = claimant("a", ["10.0.0.2"]);
    const endpoints = network("n", { a: ["10.0.0.2"], b: ["10.0.0.2"] });
    expect(claimsOn(inventoryOf({ kind: "container", claimant: a }, endpoints, sighting), "10.0.0.2")).toEqual({
      claimants: [a],
      pending: [],
    });
    expect(claimsOn(inventoryOf({ kind: "container", claimant: a }, sighting, endpoints), "10.0.0.2").claimants).toEqual([a]);
  });

  test("two containers that have one address both show", () => {
    const [a, b] = [claimant("a", ["10.0.0.2"]), claimant("b", ["10.0.0.2"])];
    expect(claimsOn(inventoryOf({ kind: "container", claimant: a }, { kind: "container", claimant: b }), "10.0.0.2")).toEqual({
      claimants: [a, b],
      pending: [],
    });
  });

  test("a container that is gone leaves its networks too; one that is idle stays pending there", () => {
    const running = inventoryOf({ kind: "container", claimant: claimant("a", ["10.0.0.2"]) }, network("n", { a: ["10.0.0.2"] }));
    expect(claimsOn(withSighting(running, { kind: "container-gone", id: "a" }), "10.0.0.2")).toEqual({ claimants: [], pending: [] });
    expect(claimsOn(withSighting(running, { kind: "container-idle", id: "a" }), "10.0.0.2")).toEqual({ claimants: [], pending: ["a"] });
  });

  test("an old container's end does not touch the new owner of its address", () => {
    const b = claimant("b", ["10.0.0.2"]);
    const reused = inventoryOf({ kind: "container", claimant: b }, network("n", { b: ["10.0.0.2"] }));
    expect(withSighting(reused, { kind: "container-gone", id: "a" })).toBe(reused);
    expect(withSighting(reused, { kind: "endpoint-gone", containerId: "a", networkId: "n" })).toBe(reused);
  });
});

test("what is not new leaves the inventory as it is", () => {
  const sightings: readonly Sighting[] = [
    { kind: "networks", networks: [{ id: "n", subnets: ["10.0.0.0/24"] }] },
    network("n", { a: ["10.0.0.2"] }),
    { kind: "container", claimant: claimant("a", ["10.0.0.2"]) },
  ];
  const inventory = inventoryOf(...sightings);
  expect(structuredClone(sightings).map((sighting) => withSighting(inventory, sighting) === inventory)).toEqual([true, true, true]);
});

test("a network is found by its subnets while it is listed", () => {
  const listed = inventoryOf({
    kind: "networks",
    networks: [
      { id: "n", subnets: ["10.0.0.0/24", "fd88::/64"] },
      { id: "m", subnets: [] },
    ],
  });
  const unlisted = withSighting(listed, { kind: "networks", networks: [{ id: "m", subnets: [] }] });
  expect([
    networksOf(listed, "10.0.0.9"),
    networksOf(listed, "fd88::9"),
    networksOf(listed, "10.0.1.9"),
    networksOf(unlisted, "10.0.0.9"),
  ]).toEqual([["n"], ["n"], [], []]);
});

describe("whatever came, late, twice or never", () => {
  const ids = ["a", "b", "c"];
  const anyAddresses = fc.uniqueArray(fc.constantFrom("10.0.0.2", "10.0.0.3", "10.0.1.2"), { maxLength: 2 });
  const anyId = fc.constantFrom(...ids);
  const anyNetworkId = fc.constantFrom("n", "m");
  const anyEndpoints = fc.dictionary(anyId, anyAddresses, { noNullPrototype: true });
  const anySighting: fc.Arbitrary<Sighting> = fc.oneof(
    fc.record({ id: anyId, addresses: anyAddresses, start: fc.constantFrom("1", "2") }).map(({ id, addresses, start }) => ({
      kind: "container" as const,
      claimant: claimant(id, addresses, start),
    })),
    fc.record({ kind: fc.constantFrom("container-idle" as const, "container-gone" as const), id: anyId }),
    fc.record({ kind: fc.constant("network-gone" as const), id: anyNetworkId }),
    fc.record({ kind: fc.constant("endpoint-gone" as const), containerId: anyId, networkId: anyNetworkId }),
    fc.tuple(anyNetworkId, anyEndpoints).map(([id, endpoints]) => network(id, endpoints)),
    fc
      .subarray(["n", "m"])
      .map((listed) => ({ kind: "networks" as const, networks: listed.map((id) => ({ id, subnets: ["10.0.0.0/24"] })) })),
  );
  const anyTruth = fc.record({
    running: fc.dictionary(anyId, anyAddresses, { noNullPrototype: true }),
    networks: fc.dictionary(anyNetworkId, anyEndpoints, { noNullPrototype: true }),
  });

  /** What asking for everything brings, in the order in which it is asked. */
  function relisted(
    inventory: Inventory,
    truth: { running: Record<string, string[]>; networks: Record<string, Record<string, string[]>> },
  ): Inventory {
    const listed: Sighting = { kind: "networks", networks: Object.keys(truth.networks).map((id) => ({ id, subnets: ["10.0.0.0/24"] })) };
    const networks = Object.entries(truth.networks).map(([id, endpoints]) => network(id, endpoints));
    const told = [listed, ...networks].reduce(withSighting, inventory);
    return idsToInspect(told, Object.keys(truth.running))
      .map((id): Sighting => {
        const addresses = truth.running[id];
        return addresses ? { kind: "container", claimant: claimant(id, addresses, "3") } : { kind: "container-idle", id };
      })
      .reduce(withSighting, told);
  }

  function told(inventory: Inventory) {
    const claims = ["10.0.0.2", "10.0.0.3", "10.0.1.2"].map((address) => claimsOn(inventory, address));
    return claims.map(({ claimants, pending }) => [
      claimants.map(({ workload, startTime }) => [workload.id, startTime]).sort(),
      [...pending].sort(),
    ]);
  }

  test("a full list ends in the truth", () => {
    fc.assert(
      fc.property(fc.array(anySighting, { maxLength: 30 }), anyTruth, (sightings, truth) => {
        expect(told(relisted(inventoryOf(...sightings), truth))).toEqual(told(relisted(EMPTY_INVENTORY, truth)));
      }),
      { numRuns: 500 },
    );
  });

  test("the index and what it is made of agree", () => {
    fc.assert(
      fc.property(fc.array(anySighting, { maxLength: 30 }), (sightings) => {
        const inventory = inventoryOf(...sightings);
        const said = [
          ...[...inventory.inspected].flatMap(([id, { workload }]) => workload.addresses.map((address) => `${address} ${id}`)),
          ...[...inventory.networks.values()].flatMap(({ endpoints }) =>
            [...endpoints].flatMap(([id, own]) => own.map((address) => `${address} ${id}`)),
          ),
        ];
        const indexed = [...inventory.byAddress].flatMap(([address, owners]) => owners.map((id) => `${address} ${id}`));
        expect([indexed.sort(), [...inventory.claimants.keys()].sort()]).toEqual([
          [...new Set(said)].sort(),
          [...inventory.inspected.keys()].sort(),
        ]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("who shares the network namespace of a container", () => {
  const joined = (id: string, ownerId: string) => ({ ...claimant(id, []), namespace: { kind: "shared", ownerId } as const });
  const runs = (one: Claimant): Sighting => ({ kind: "container", claimant: one });
  const [a, b, c] = [claimant("a", ["10.0.0.2"]), joined("b", "a"), joined("c", "b")];

  test.for([
    { name: "one that joined one that joined it", others: [runs(b), runs(c)], sharers: [b, c], joiners: [] },
    {
      name: "the same, when that one stands still",
      others: [runs(c), { kind: "container-idle", id: "b", ownerId: "a" }],
      sharers: [c],
      joiners: ["b"],
    },
    { name: "the same, when that one is gone: it may be anywhere", others: [runs(c)], sharers: [c], joiners: [] },
    {
      name: "one that will join one that joined it",
      others: [runs(b), { kind: "container-idle", id: "c", ownerId: "b" }],
      sharers: [b],
      joiners: ["c"],
    },
    { name: "none that joined another", others: [runs(claimant("o", [])), runs(joined("c", "o"))], sharers: [], joiners: [] },
    {
      name: "none that could join nobody any more",
      others: [{ kind: "container-idle", id: "c", ownerId: "gone" }],
      sharers: [],
      joiners: [],
    },
    {
      name: "those that are said to have joined each other",
      others: [runs(joined("b", "c")), runs(c)],
      sharers: [joined("b", "c"), c],
      joiners: [],
    },
  ] as const)("$name", ({ others, sharers, joiners }) => {
    const found = sharersOf(inventoryOf(runs(a), ...others), "a");
    expect({ sharers: new Set(found.sharers), joiners: found.joiners }).toEqual({ sharers: new Set(sharers), joiners });
  });

  test("the host's, also by joining one that has it, and perhaps by joining one that is gone", () => {
    const host = { ...claimant("h", []), namespace: { kind: "host" } as const };
    const [second, third, lost] = [joined("i", "h"), joined("j", "i"), joined("k", "gone")];
    expect(claimantsOnHost([a, b, third, host, second, lost, c])).toEqual([third, host, second, lost]);
  });
});
