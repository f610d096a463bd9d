import { type Namespace, startHostNamespace, startPeerNamespace } from "./namespace.ts";

export const IMDS4 = "169.254.169.254";
export const IMDS6 = "fd00:ec2::254";
export const GATEWAY_PORT = 18169;

/** Long enough for any answer that comes; ends at once when it does. */
const ANSWER_MS = 10_000;
/** Long enough for a packet on this one machine: what has not come by then was dropped. The decoy's count tells otherwise. */
const SILENCE_MS = 400;

/**
 * A container host with everything around it, in namespaces without a way out:
 *
 *     ca 172.30.0.2 ─ br-a ┐                    ┌ outside: the decoy IMDS
 *     cb 172.31.0.2 ─ br-b ┴ host 10.77.0.2 ─ sw ┴ lan 10.77.0.9
 */
export interface Network {
  readonly host: Namespace;
  readonly outside: Namespace;
  readonly lan: Namespace;
  readonly ca: Namespace;
  readonly cb: Namespace;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export type Place = "host" | "lan" | "ca" | "cb";

/** Builds the network, with the decoy IMDS and a listener in the gateway's place. */
export async function startNetwork(): Promise<Network> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await startHostNamespace());
  const peers = await Promise.all([1, 2, 3, 4].map(() => startPeerNamespace(host)));
  for (const peer of peers) made.use(peer);
  const [outside, lan, ca, cb] = peers;
  if (!outside || !lan || !ca || !cb) throw new Error("four namespaces were asked for");

  await Promise.all([host, ...peers].map(becomeQuick));
  await batch(host, hostLines(outside.pid, ca.pid, cb.pid));
  await batch(outside, outsideLines(lan.pid));
  await Promise.all([
    batch(lan, endLines({ v4: "10.77.0.9/24", v6: "fd77::9/64", gateway4: "10.77.0.2", gateway6: "fd77::2" })),
    batch(ca, containerLines("172.30.0", "fd88:1:")),
    batch(cb, containerLines("172.31.0", "fd88:2:")),
  ]);
  await startListeners(host, outside);
  // The peers end first: a namespace that a link leads into must still be there when its neighbour goes.
  const owned = made.move();
  return { host, outside, lan, ca, cb, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function becomeQuick(namespace: Namespace): Promise<void> {
  const settings = ["ipv6.conf.all.accept_dad=0", "ipv6.conf.default.accept_dad=0", "ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1"];
  await namespace.sh("sysctl", ["-qw", ...settings.map((setting) => `net.${setting}`)]);
}

async function batch(namespace: Namespace, lines: readonly string[]): Promise<void> {
  await namespace.sh("ip", ["-batch", "-"], `${lines.join("\n")}\n`);
}

function hostLines(outside: number, ca: number, cb: number): string[] {
  return [
    "link set lo up",
    `link add eth0 type veth peer name tohost netns ${outside}`,
    "link set eth0 up",
    "addr add 10.77.0.2/24 dev eth0",
    "addr add fd77::2/64 dev eth0 nodad",
    "route add default via 10.77.0.1",
    "route add ::/0 via fd77::1",
    ...bridgeLines("br-a", ca, "172.30.0", "fd88:1:"),
    ...bridgeLines("br-b", cb, "172.31.0", "fd88:2:"),
  ];
}

/** A bridge on the host with one container on it. */
export function bridgeLines(bridge: string, container: number, prefix4: string, prefix6: string): string[] {
  return [
    `link add ${bridge} type bridge`,
    `link set ${bridge} up`,
    `addr add ${prefix4}.1/24 dev ${bridge}`,
    `addr add ${prefix6}:1/64 dev ${bridge} nodad`,
    `link add v${bridge} type veth peer name eth0 netns ${container}`,
    `link set v${bridge} master ${bridge} up`,
  ];
}

function containerLines(prefix4: string, prefix6: string): string[] {
  return endLines({ v4: `${prefix4}.2/24`, v6: `${prefix6}:2/64`, gateway4: `${prefix4}.1`, gateway6: `${prefix6}:1` });
}

function endLines(end: { v4: string; v6: string; gateway4: string; gateway6: string }): string[] {
  return [
    "link set lo up",
    "link set eth0 up",
    `addr add ${end.v4} dev eth0`,
    `addr add ${end.v6} dev eth0 nodad`,
    `route add default via ${end.gateway4}`,
    `route add ::/0 via ${end.gateway6}`,
  ];
}

function outsideLines(lan: number): string[] {
  return [
    "link set lo up",
    `addr add ${IMDS4}/32 dev lo`,
    `addr add ${IMDS6}/128 dev lo nodad`,
    "link add sw type bridge",
    "link set sw up",
    "addr add 10.77.0.1/24 dev sw",
    "addr add fd77::1/64 dev sw nodad",
    "link set tohost master sw up",
    `link add tolan type veth peer name eth0 netns ${lan}`,
    "link set tolan master sw up",
    "route add 172.16.0.0/12 via 10.77.0.2",
    "route add fd88::/16 via fd77::2",
  ];
}

async function startListeners(host: Namespace, outside: Namespace): Promise<void> {
  const said = await Promise.all([
    host.ask({ act: "listen", name: "gateway", host: "0.0.0.0", port: GATEWAY_PORT }),
    host.ask({ act: "listen", name: "gateway6", host: "::", port: GATEWAY_PORT }),
    outside.ask({ act: "listen", name: "decoy", host: IMDS4, port: 80 }),
    outside.ask({ act: "listen", name: "decoy6", host: IMDS6, port: 80 }),
    outside.ask({ act: "listen", name: "decoy-other", host: IMDS4, port: 8080 }),
  ]);
  if (said.some((word) => word !== "listening")) throw new Error(`listeners: ${said.join(", ")}`);
}

/** What a request from `place` is answered: who answered and whom he saw, `refused`, or `silence` where that is wanted. */
export function request(network: Network, place: Place, to: { host: string; port: number }, wanted: string): Promise<string> {
  return network[place].ask({ act: "request", ...to, timeoutMs: timeoutFor(wanted) });
}

/** How long to wait for what is `wanted`. */
export function timeoutFor(wanted: string): number {
  return wanted === "silence" ? SILENCE_MS : ANSWER_MS;
}

/** How many connections the decoy IMDS has seen, on all its addresses. */
export async function decoyCount({ outside }: Network): Promise<number> {
  const counts = await Promise.all(["decoy", "decoy6", "decoy-other"].map((name) => outside.ask({ act: "count", name })));
  return counts.map(Number).reduce((sum, count) => sum + count, 0);
}
