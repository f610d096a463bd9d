import { isInBlock } from "../address.ts";
import { type BridgeGuardSet, type GuardedPort, isHoldable } from "./bridge-guard-set.ts";
import type { HostLink } from "./host-links.ts";

/** A container that is to be guarded, as the inventory and the kernel know it. */
export interface GuardedContainer {
  readonly id: string;
  /** Of the interfaces in its network namespace. */
  readonly interfaceIndexes: readonly number[];
  readonly macs: readonly string[];
  readonly addresses: readonly string[];
}

/** What the guard can hold, and for whom. */
export interface Guardable {
  readonly set: BridgeGuardSet;
  /** Ids of the containers whose place on a bridge is certain; the others are not in `set` at all. */
  readonly located: ReadonlySet<string>;
}

/**
 * Finds the veths of containers without entering their namespaces: the host's end of a veth names the index of the other end, and numbers
 * the namespace that it is in. A namespace is a container's where every veth that leads there fits it, where no other container fits, and
 * where the bridges are those of the container's own networks. What is less than certain is left out: a port on the wrong container's
 * name would let its neighbour speak for it.
 */
export function guardableContainers(containers: readonly GuardedContainer[], links: readonly HostLink[]): Guardable {
  const bridges = new Map(links.map((link) => [link.name, link]));
  const namespaces = namespacesOf(links);
  const fits = containers.map((container) => ({
    container,
    namespaces: namespaces.filter((veths) => isPlaceOf(container, veths, bridges)),
  }));
  const claimants = Map.groupBy(
    fits.flatMap((fit) => fit.namespaces),
    (veths) => veths,
  );
  const certain = fits.flatMap(({ container, namespaces: [veths, ...others] }) => {
    const isCertain = veths !== undefined && others.length === 0 && claimants.get(veths)?.length === 1;
    return isCertain && veths.every((veth) => isHoldable(portOf(container, veth))) ? [{ container, veths }] : [];
  });
  const used = new Set(certain.flatMap(({ veths }) => veths.map(({ bridge }) => bridge)));
  return {
    set: {
      ports: certain.flatMap(({ container, veths }) => veths.map((veth) => portOf(container, veth))),
      hostAddresses: [...used].flatMap((name) => bridges.get(name ?? "")?.addresses.map(({ address }) => address) ?? []),
    },
    located: new Set(certain.map(({ container }) => container.id)),
  };
}

/** The host's ends of veths on bridges, by the namespace at their other end. */
function namespacesOf(links: readonly HostLink[]): readonly (readonly HostLink[])[] {
  const veths = links.filter(({ peerIndex, peerNamespace }) => peerIndex !== undefined && peerNamespace !== undefined);
  return [...Map.groupBy(veths, ({ peerNamespace }) => peerNamespace).values()];
}

function isPlaceOf(container: GuardedContainer, veths: readonly HostLink[], bridges: ReadonlyMap<string, HostLink>): boolean {
  return veths.every(({ peerIndex = 0, bridge = "" }) => {
    // The cheap question first: with many containers nearly every pair fails here.
    if (!container.interfaceIndexes.includes(peerIndex)) return false;
    const blocks = bridges.get(bridge)?.addresses.map(({ block }) => block) ?? [];
    return container.addresses.some((address) => blocks.some((block) => isInBlock(address, block)));
  });
}

/** A container may speak from any of its addresses through any of its veths: a socket bound to the second network's address is legal. */
function portOf({ macs, addresses }: GuardedContainer, { name }: HostLink): GuardedPort {
  return { interfaceName: name, macs, addresses };
}
