import { fileURLToPath } from "node:url";
import type { BridgeGuardSet } from "../../src/rules/bridge-guard-set.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { type Namespace, startHostNamespace, startPeerNamespace } from "./namespace.ts";
import { GATEWAY_PORT, IMDS4 } from "./network.ts";

const SPOOFER = fileURLToPath(new URL("spoofer.py", import.meta.url));
const CONNECTED_PORT = 9_998;

/**
 * A container host whose bridges hold a victim, an attacker, and a machine that no inventory knows:
 *
 *     victim 172.30.0.2 ─ vvictim ┐
 *     attacker      .3 ─ vattacker┼ br-a  172.30.0.1  ┐
 *     machine       .4 ─ vmachine ┘                   ┼ host: the gateway's stand-in
 *     victim 172.31.0.2 ─ vsecond ─ br-b  172.31.0.1  ┘
 */
export interface BridgeGuardNetwork {
  readonly host: Namespace;
  readonly victim: Namespace;
  readonly attacker: Namespace;
  readonly machine: Namespace;
  /** What the inventory knows here. */
  readonly set: BridgeGuardSet;
  /** Sends `tries` frames of one kind as the attacker, or from the machine that nobody knows, and tells what came of it. */
  attack(kind: string, tries: number, from?: "attacker" | "machine"): Promise<AttackOutcome>;
  /** How many connections the gateway's stand-in has accepted, by source. */
  connected(): Promise<Readonly<Record<string, number>>>;
  /** Makes the host and the victim forget what an attack has told them. */
  heal(): Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface AttackOutcome {
  readonly sent: number;
  /** Frames for the victim that came to the attacker. */
  readonly leaked: number;
  /** Answers of the gateway to the attacker that were meant for the victim. */
  readonly answers: number;
  /** Packets to the IMDS that reached the gateway's redirect in the victim's name, or in nobody's. */
  readonly arrived: number;
}

const VICTIM = { mac: "02:00:00:00:00:02", v4: "172.30.0.2", v6: "fd88:1::2", link: "fe80::ff:fe00:2" };
const ATTACKER = { mac: "02:00:00:00:00:03", v4: "172.30.0.3", v6: "fd88:1::3", link: "fe80::ff:fe00:3" };
const MACHINE = { mac: "02:00:00:00:00:04", v4: "172.30.0.4", v6: "fd88:1::4", link: "fe80::ff:fe00:4" };
const AGAIN = { mac: "02:00:00:00:00:05", v4: "172.30.0.5", v6: "fd88:1::5", link: "fe80::ff:fe00:5" };
const SECOND = { mac: "02:00:00:00:01:02", v4: "172.31.0.2", v6: "fd88:2::2", link: "fe80::ff:fe00:102" };
const BRIDGE = { mac: "02:00:00:00:00:01", v4: "172.30.0.1", v6: "fd88:1::1", link: "fe80::ff:fe00:1" };
/** Nobody has these, so whoever speaks from them is not who the inventory knows. */
const NOBODY = { v4: "172.30.0.77", v6: "fd88:1::77" };

const macs = [VICTIM.mac, SECOND.mac];
const addresses = [VICTIM, SECOND].flatMap(({ v4, v6, link }) => [v4, v6, link]);
const SET: BridgeGuardSet = {
  ports: [
    { interfaceName: "vvictim", macs, addresses },
    { interfaceName: "vsecond", macs, addresses },
    { interfaceName: "vattacker", macs: [ATTACKER.mac], addresses: [ATTACKER.v4, ATTACKER.v6, ATTACKER.link] },
  ],
  hostAddresses: [BRIDGE.v4, BRIDGE.v6, BRIDGE.link, "172.31.0.1", "fd88:2::1"],
};

/** Builds the network, with the redirect and a listener in the gateway's place. */
export async function startBridgeGuardNetwork(): Promise<BridgeGuardNetwork> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await startHostNamespace());
  const peers = await Promise.all([1, 2, 3].map(() => startPeerNamespace(host)));
  for (const peer of peers) made.use(peer);
  const [victim, attacker, machine] = peers;
  if (!victim || !attacker || !machine) throw new Error("three namespaces were asked for");

  await Promise.all([host, ...peers].map(becomeQuick));
  await host.sh("sysctl", [
    "-qw",
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv6.conf.all.forwarding=1",
  ]);
  await batch(host, [
    "link set lo up",
    ...bridgeLines("br-a", BRIDGE.mac, ["172.30.0.1/24", "fd88:1::1/64"]),
    ...bridgeLines("br-b", "02:00:00:00:01:01", ["172.31.0.1/24", "fd88:2::1/64"]),
    ...portLines("vvictim", "br-a", "eth0", victim.pid),
    ...portLines("vsecond", "br-b", "eth1", victim.pid),
    ...portLines("vattacker", "br-a", "eth0", attacker.pid),
    ...portLines("vmachine", "br-a", "eth0", machine.pid),
  ]);
  await host.sh("sysctl", ["-qw", BELIEVES_AT_ONCE("br-a")]);
  await Promise.all([
    batch(victim, [...endLines("eth0", VICTIM), ...endLines("eth1", SECOND), ...routeLines(BRIDGE)]),
    batch(attacker, [...endLines("eth0", ATTACKER), ...routeLines(BRIDGE)]),
    batch(machine, [...endLines("eth0", MACHINE), ...routeLines(BRIDGE)]),
  ]);
  await victim.sh("sysctl", ["-qw", BELIEVES_AT_ONCE("eth0")]);
  await nftablesBackend(host.run).apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: [], workloadInterfaces: [] });
  await host.sh("nft", ["-f", "-"], COUNTER);
  const listener = await startListener(host);
  made.defer(listener.stop);

  const owned = made.move();
  const heal = async () => {
    await host.sh("ip", ["neigh", "flush", "nud", "all", "dev", "br-a"]);
    await victim.sh("ip", ["neigh", "flush", "nud", "all", "dev", "eth0"]);
    await victim.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: 5_000 });
  };
  return {
    host,
    victim,
    attacker,
    machine,
    set: SET,
    async attack(kind, tries, from = "attacker") {
      await host.sh("nft", ["reset", "counters"]);
      const said: Omit<AttackOutcome, "arrived"> = JSON.parse(
        await (from === "machine" ? machine : attacker).sh("python3", [SPOOFER, "attack", castWith(from), kind, String(tries), "7"]),
      );
      const [, arrived] = /packets (\d+)/.exec(await host.sh("nft", ["list", "counter", "inet", "arrivals", "as-victim"])) ?? [];
      return { ...said, arrived: Number(arrived) };
    },
    async connected() {
      return JSON.parse(await host.ask({ act: "request", host: "127.0.0.1", port: CONNECTED_PORT, timeoutMs: 5_000 }));
    },
    heal,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const BELIEVES_AT_ONCE = (device: string) => `net.ipv4.neigh.${device}.locktime=0`;

function castWith(from: "attacker" | "machine"): string {
  const attacker = from === "machine" ? MACHINE : ATTACKER;
  return JSON.stringify({ attacker, victim: VICTIM, bridge: BRIDGE, other4: SECOND.v4, nobody4: NOBODY.v4, nobody6: NOBODY.v6 });
}

/** The victim itself asks from lower ports than the attacker in its name. */
const COUNTER = `table inet arrivals {
  counter as-victim { }
  chain prerouting {
    type filter hook prerouting priority -105; policy accept;
    ip saddr { ${VICTIM.v4}, ${SECOND.v4}, ${NOBODY.v4} } ip daddr 169.254.169.254 tcp sport >= 20000 tcp flags syn counter name "as-victim"
    ip6 saddr { ${VICTIM.v6}, ${SECOND.v6}, ${NOBODY.v6} } ip6 daddr fd00:ec2::254 tcp sport >= 20000 tcp flags syn counter name "as-victim"
  }
}
`;

async function becomeQuick(namespace: Namespace): Promise<void> {
  const settings = [
    "ipv6.conf.all.accept_dad=0",
    "ipv6.conf.default.accept_dad=0",
    "ipv4.ip_local_port_range=10000 19999",
    // Each packet to a closed port is answered.
    "ipv4.icmp_ratelimit=0",
    "ipv6.icmp.ratelimit=0",
  ];
  for (const setting of settings) await namespace.sh("sysctl", ["-qw", `net.${setting}`]);
}

async function batch(namespace: Namespace, lines: readonly string[]): Promise<void> {
  await namespace.sh("ip", ["-batch", "-"], `${lines.join("\n")}\n`);
}

function bridgeLines(name: string, mac: string, addresses: readonly string[]): string[] {
  return [
    `link add ${name} address ${mac} type bridge`,
    `link set ${name} up`,
    ...addresses.map((address) => `addr add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`),
  ];
}

function portLines(name: string, bridge: string, inner: string, pid: number): string[] {
  return [`link add ${name} type veth peer name ${inner} netns ${pid}`, `link set ${name} master ${bridge} up`];
}

function endLines(device: string, { mac, v4, v6 }: typeof VICTIM): string[] {
  return [
    "link set lo up",
    `link set ${device} address ${mac}`,
    `link set ${device} up`,
    `addr add ${v4}/24 dev ${device}`,
    `addr add ${v6}/64 dev ${device} nodad`,
  ];
}

function routeLines({ v4, v6 }: typeof BRIDGE): string[] {
  return [`route add default via ${v4}`, `route add ::/0 via ${v6}`];
}

async function startListener(host: Namespace): Promise<{ readonly stop: () => Promise<void> }> {
  const ending = new AbortController();
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const ended = host.follow("python3", [SPOOFER, "listen", String(GATEWAY_PORT)], () => resolve(), ending.signal);
  await Promise.race([ready, ended.then(() => Promise.reject(new Error("the listener ended")))]);
  return {
    async stop() {
      ending.abort();
      await ended;
    },
  };
}

/** A container that has started again, and with it the veth that leads to it. */
interface Restarted {
  readonly container: Namespace;
  /** What the inventory knows from the container's last life, and what it will know. */
  readonly old: BridgeGuardSet;
  readonly new: BridgeGuardSet;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export async function startAgain({ host, set }: BridgeGuardNetwork): Promise<Restarted> {
  await using made = new AsyncDisposableStack();
  const container = made.use(await startPeerNamespace(host));
  await becomeQuick(container);
  await batch(host, portLines("vnew", "br-a", "eth0", container.pid));
  await batch(container, [...endLines("eth0", AGAIN), ...routeLines(BRIDGE)]);
  const withPort = (interfaceName: string): BridgeGuardSet => ({
    ...set,
    ports: [...set.ports, { interfaceName, macs: [AGAIN.mac], addresses: [AGAIN.v4, AGAIN.v6, AGAIN.link] }],
  });
  const owned = made.move();
  return { container, old: withPort("vold"), new: withPort("vnew"), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What becomes of the victim's IPv6 address when the attacker claims it before the victim knows that it is free. */
export async function whatBecomesOfClaimed({ victim, attack, heal }: BridgeGuardNetwork): Promise<"kept" | "given up"> {
  const set = (accept: number, waitMs: number) =>
    victim.sh("sysctl", ["-qw", `net.ipv6.conf.eth0.accept_dad=${accept}`, `net.ipv6.neigh.eth0.retrans_time_ms=${waitMs}`]);
  const getAgain = (how: string) => batch(victim, [`addr del ${VICTIM.v6}/64 dev eth0`, `addr add ${VICTIM.v6}/64 dev eth0 ${how}`]);
  // It waits a minute for whoever has the address already, so the claim comes meanwhile.
  await set(1, 60_000);
  await getAgain("");
  try {
    await attack("claim", 20);
    const said = await victim.sh("ip", ["-6", "addr", "show", "dev", "eth0", "to", VICTIM.v6]);
    return said.includes("dadfailed") ? "given up" : "kept";
  } finally {
    await set(0, 1_000);
    await getAgain("nodad");
    await heal();
  }
}
