import { canonicalAddress } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import { isInterfacePattern } from "../interface-name.ts";

/** What may come in through one veth of the host: everything that its container owns. */
export interface GuardedPort {
  readonly interfaceName: string;
  readonly macs: readonly string[];
  /** IPv4 and IPv6, canonical. */
  readonly addresses: readonly string[];
}

/** What the bridge guard knows; it judges nothing else. */
export interface BridgeGuardSet {
  readonly ports: readonly GuardedPort[];
  /** Addresses of the bridges themselves: nobody behind a port may claim them. */
  readonly hostAddresses: readonly string[];
}

/** A guard set and what the guard has changed besides rules. */
export interface BridgeGuardState extends BridgeGuardSet {
  /** Bridges that the guard has told not to learn from link-local frames, see `bridge-learning.ts`. */
  readonly bridges: readonly string[];
}

/** What a veth may say: from which MAC, and which address as its own. */
interface Endpoint {
  readonly veth: string;
  readonly mac: string;
  readonly address: string;
}

/** Every MAC with every address, each of a port's own: a container answers on one veth for what it has on another. */
export function endpointsOf({ ports }: BridgeGuardSet): readonly Endpoint[] {
  return ports.flatMap(({ interfaceName: veth, macs, addresses }) =>
    macs.flatMap((mac) => addresses.map((address) => ({ veth, mac, address }))),
  );
}

/** Whose claim to be someone is judged: all addresses of the ports and of the host, each once. */
export function claimedAddressesOf({ ports, hostAddresses }: BridgeGuardSet): readonly string[] {
  return [...new Set([...ports.flatMap(({ addresses }) => addresses), ...hostAddresses])];
}

/**
 * The two states without the ports that are in both and share nothing with one that is not: the same change between them, however many
 * ports there are.
 */
export function changedParts(
  before: BridgeGuardState,
  after: BridgeGuardState,
): { readonly before: BridgeGuardState; readonly after: BridgeGuardState } {
  const [old, wanted] = [new Set(before.ports.map(textOf)), new Set(after.ports.map(textOf))];
  const isChanged = (port: GuardedPort) => !(old.has(textOf(port)) && wanted.has(textOf(port)));
  const words = [...before.ports, ...after.ports].filter(isChanged).flatMap(wordsOf);
  const changed = new Set([...words, ...before.hostAddresses, ...after.hostAddresses]);
  const concerned = ({ ports }: BridgeGuardState) => ports.filter((port) => wordsOf(port).some((word) => changed.has(word)));
  return { before: { ...before, ports: concerned(before) }, after: { ...after, ports: concerned(after) } };
}

function wordsOf({ interfaceName, macs, addresses }: GuardedPort): readonly string[] {
  return [interfaceName, ...macs, ...addresses];
}

function textOf(port: GuardedPort): string {
  return wordsOf(port).join(" ");
}

/** `fe80::1` is IPv6. Only for what `refuseUnlikelySet` has let through. */
export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** Whether the rules of every tool can hold `port`, as `refuseUnlikelySet` judges it. */
export function isHoldable(port: GuardedPort): boolean {
  try {
    refuseUnlikelySet({ ports: [port], hostAddresses: [] });
    return true;
  } catch {
    return false;
  }
}

/** Throws RULES_FAILED for what a tool could read otherwise than it is meant. */
export function refuseUnlikelySet({ ports, hostAddresses }: BridgeGuardSet): void {
  for (const { interfaceName, macs, addresses } of ports) {
    refuseUnlikelyInterface(interfaceName);
    for (const mac of macs) refuseUnless(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac), "hardware address", mac);
    for (const address of addresses) refuseUnlikelyAddress(address);
  }
  for (const address of hostAddresses) refuseUnlikelyAddress(address);
}

/** As `refuseUnlikelySet`, for the name of one interface. */
export function refuseUnlikelyInterface(name: string): void {
  refuseUnless(isInterfacePattern(name) && !name.includes("*"), "interface", name);
}

function refuseUnlikelyAddress(address: string): void {
  // An IPv6 address that ends like one of IPv4 has two spellings.
  const isPlain = !(address.includes(":") && address.includes("."));
  refuseUnless(isPlain && canonicalAddress(address) === address, "address", address);
}

function refuseUnless(isLikely: boolean, what: string, text: string): void {
  if (isLikely) return;
  throw new ImdsgateError(
    "RULES_FAILED",
    `The bridge guard cannot hold the ${what} ${JSON.stringify(text)}: the tools could read it as something else. Give it a plain one.`,
  );
}
