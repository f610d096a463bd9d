import { basename } from "node:path";
import type { BridgeGuardSet } from "../../src/rules/bridge-guard-set.ts";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { type Namespace, startInCgroup, startJoined, startPeerNamespace } from "./namespace.ts";
import { bridgeLines, GATEWAY_PORT, IMDS4, IMDS6 } from "./network.ts";
import type { Arranged, Scenario, Stage } from "./scenario.ts";

const BOTH = (from: string) => [
  { from, host: IMDS4 },
  { from, host: IMDS6 },
];
const REAL = (v4: string, v6?: string) => [`decoy saw ${v4} on ${IMDS4}`, ...(v6 === undefined ? [] : [`decoy6 saw ${v6} on ${IMDS6}`])];
const THEFT = ["gateway saw 172.30.0.2 on 172.30.0.1", "gateway6 saw fd88:1::2 on fd88:1::1"];
const HOST_REAL = REAL("10.77.0.2", "fd77::2");

/** Who asks, and where. */
export const WHO_ASKS: readonly Scenario[] = [
  {
    name: "a container on Docker's default bridge",
    questions: [{ from: "ca", host: IMDS4 }],
    without: REAL("172.30.0.2"),
    wanted: ["gateway saw 172.30.0.2 on 172.30.0.1"],
  },
  {
    name: "a container on the bridge of another network",
    questions: [{ from: "cb", host: IMDS4 }],
    without: REAL("172.31.0.2"),
    wanted: ["gateway saw 172.31.0.2 on 172.31.0.1"],
  },
  {
    name: "the same two over IPv6",
    questions: [
      { from: "ca", host: IMDS6 },
      { from: "cb", host: IMDS6 },
    ],
    without: [`decoy6 saw fd88:1::2 on ${IMDS6}`, `decoy6 saw fd88:2::2 on ${IMDS6}`],
    wanted: ["gateway6 saw fd88:1::2 on fd88:1::1", "gateway6 saw fd88:2::2 on fd88:2::1"],
  },
  {
    name: "a container on a bridge that is made after the rules",
    questions: [{ from: "late", host: IMDS4 }],
    arrange: (stage) => arrangeContainer(stage, "late", "172.20.0"),
    isLate: true,
    without: REAL("172.20.0.2"),
    wanted: ["gateway saw 172.20.0.2 on 172.20.0.1"],
  },
  {
    name: "a container with two networks, its way out over the first",
    questions: [{ from: "ca", host: IMDS4 }],
    arrange: (stage) => arrangeSecondNetwork(stage, "172.30.0.1", "eth0"),
    without: REAL("172.30.0.2"),
    wanted: ["gateway saw 172.30.0.2 on 172.30.0.1"],
  },
  {
    name: "the same, its way out over the second",
    questions: [{ from: "ca", host: IMDS4 }],
    arrange: (stage) => arrangeSecondNetwork(stage, "172.31.0.1", "eth1"),
    without: REAL("172.31.0.7"),
    wanted: ["gateway saw 172.31.0.7 on 172.31.0.1"],
  },
  {
    name: "the same, its way out over the first, and its socket bound to its address in the second",
    questions: [{ from: "ca", host: IMDS4, source: "172.31.0.7" }],
    arrange: (stage) => arrangeSecondNetwork(stage, "172.30.0.1", "eth0"),
    without: REAL("172.31.0.7"),
    wanted: ["gateway saw 172.31.0.7 on 172.30.0.1"],
  },
  {
    name: "a container joined to another's network namespace",
    questions: BOTH("joined"),
    async arrange({ network, after }) {
      return { places: { joined: after.use(await startJoined(network.ca)) } };
    },
    without: REAL("172.30.0.2", "fd88:1::2"),
    wanted: ["gateway saw 172.30.0.2 on 172.30.0.1", "gateway6 saw fd88:1::2 on fd88:1::1"],
  },
  {
    name: "a container with the host's network, by its cgroup",
    questions: BOTH("caught"),
    arrange: arrangeHostNetwork,
    needsRoot: true,
    without: HOST_REAL,
    wanted: ["gateway saw 10.77.0.2 on 127.0.0.1", "gateway6 saw fd77::2 on ::1"],
  },
  {
    name: "a process of the host",
    questions: BOTH("host"),
    without: HOST_REAL,
    wanted: HOST_REAL,
  },
  {
    name: "a machine on a bridge that the inventory does not know (libvirt, CNI), the bridge guard in",
    questions: BOTH("machine"),
    async arrange(stage) {
      return { ...(await arrangeContainer(stage, "machine", "172.28.0", "fd88:28:")), guard: await guardOf(stage) };
    },
    without: REAL("172.28.0.2", "fd88:28::2"),
    wanted: ["gateway saw 172.28.0.2 on 172.28.0.1", "gateway6 saw fd88:28::2 on fd88:28::1"],
  },
  {
    name: "a neighbour with the address and the MAC of another container, without a guard",
    questions: [...BOTH("thief"), ...BOTH("thief")],
    arrange: arrangeThief,
    without: [...REAL("172.30.0.2", "fd88:1::2"), ...REAL("172.30.0.2", "fd88:1::2")],
    wanted: [...THEFT, ...THEFT],
  },
  {
    name: "the same, the bridge guard in",
    questions: [...BOTH("thief"), ...BOTH("thief")],
    async arrange(stage) {
      return { guard: await guardOf(stage), ...(await arrangeThief(stage)) };
    },
    without: [...REAL("172.30.0.2", "fd88:1::2"), ...REAL("172.30.0.2", "fd88:1::2")],
    wanted: ["silence", "silence", "silence", "silence"],
  },
  {
    name: "a neighbour on the LAN who routes the metadata addresses through this host",
    questions: BOTH("lan"),
    without: REAL("10.77.0.9", "fd77::9"),
    wanted: ["silence", "silence"],
  },
  {
    name: "a neighbour on the LAN at the gateway's port",
    questions: [
      { from: "lan", host: "10.77.0.2", port: GATEWAY_PORT },
      { from: "lan", host: "fd77::2", port: GATEWAY_PORT },
    ],
    without: ["gateway saw 10.77.0.9 on 10.77.0.2", "gateway6 saw fd77::9 on fd77::2"],
    wanted: ["silence", "silence"],
  },
  {
    name: "a container at the gateway's port: on its bridge, on the host's own address, over IPv6",
    questions: ["172.30.0.1", "10.77.0.2", "fd88:1::1"].map((host) => ({ from: "ca", host, port: GATEWAY_PORT })),
    without: ["gateway saw 172.30.0.2 on 172.30.0.1", "gateway saw 172.30.0.2 on 10.77.0.2", "gateway6 saw fd88:1::2 on fd88:1::1"],
    wanted: ["silence", "silence", "silence"],
  },
  {
    name: "a process of the host at the gateway's port",
    questions: [{ from: "host", host: "127.0.0.1", port: GATEWAY_PORT }],
    without: ["gateway saw 127.0.0.1 on 127.0.0.1"],
    wanted: ["silence"],
  },
  {
    name: "a container at a port of that number on another host",
    questions: [{ from: "ca", host: "10.77.0.9", port: GATEWAY_PORT }],
    async arrange({ network: { lan }, after }) {
      after.defer(async () => void (await lan.ask({ act: "close", name: "theirs" })));
      await lan.ask({ act: "listen", name: "theirs", host: "10.77.0.9", port: GATEWAY_PORT });
      await lan.sh("ip", ["route", "replace", "172.30.0.0/24", "via", "10.77.0.2"]);
      return undefined;
    },
    without: ["theirs saw 172.30.0.2 on 10.77.0.9"],
    wanted: ["theirs saw 172.30.0.2 on 10.77.0.9"],
  },
];

/** A container, or a machine, on a bridge of its own. */
async function arrangeContainer({ network: { host }, after }: Stage, name: string, v4: string, v6 = "fd88:3:"): Promise<Arranged> {
  const bridge = `br-${name}`;
  after.defer(async () => void (await host.sh("ip", ["link", "del", bridge])));
  const container = after.use(await startPeerNamespace(host));
  await host.sh("ip", ["-batch", "-"], bridgeLines(bridge, container.pid, v4, v6).join("\n"));
  const lines = [
    "link set lo up",
    "link set eth0 up",
    `addr add ${v4}.2/24 dev eth0`,
    `addr add ${v6}:2/64 dev eth0 nodad`,
    `route add default via ${v4}.1`,
    `route add ::/0 via ${v6}:1`,
  ];
  await container.sh("ip", ["-batch", "-"], lines.join("\n"));
  return { places: { [name]: container } };
}

async function arrangeSecondNetwork({ network: { host, ca }, after }: Stage, gateway: string, device: string): Promise<undefined> {
  after.defer(async () => void (await ca.sh("ip", ["route", "replace", "default", "via", "172.30.0.1", "dev", "eth0"])));
  // The same MAC each time: the host remembers it.
  await addPort(host, "vsecond", { bridge: "br-b", end: `name eth1 address 02:00:00:00:01:07 netns ${ca.pid}` });
  after.defer(async () => void (await host.sh("ip", ["link", "del", "vsecond"])));
  await ca.sh("ip", ["-batch", "-"], "link set eth1 up\naddr add 172.31.0.7/24 dev eth1\n");
  await ca.sh("ip", ["route", "replace", "default", "via", gateway, "dev", device]);
}

/** A port with a MAC so high that the bridge, which takes the lowest one, keeps its own. */
async function addPort({ sh }: Namespace, name: string, { bridge, end }: { readonly bridge: string; readonly end: string }): Promise<void> {
  const lines = [`link add ${name} address fe:ff:ff:ff:ff:ff type veth peer ${end}`, `link set ${name} master ${bridge} up`];
  await sh("ip", ["-batch", "-"], lines.join("\n"));
}

async function arrangeHostNetwork({ network: { host }, after }: Stage): Promise<Arranged> {
  const folder = await makeCgroup("scenario");
  after.defer(() => removeCgroup(folder));
  const caught = after.use(await startInCgroup(host, folder));
  return { places: { caught }, hostNetwork: { caught: [basename(folder)], exempt: [] } };
}

/** Whom the guard holds to his own: the container on the first bridge. */
async function guardOf({ network: { ca } }: Stage): Promise<BridgeGuardSet> {
  return {
    ports: [{ interfaceName: "vbr-a", macs: [await macOf(ca, "eth0")], addresses: ["172.30.0.2", "fd88:1::2"] }],
    hostAddresses: ["172.30.0.1", "fd88:1::1", "172.31.0.1", "fd88:2::1"],
  };
}

/** A second container on the first bridge, which takes the address and the MAC of the first one. */
async function arrangeThief({ network: { host, ca }, after }: Stage): Promise<Arranged> {
  const thief = after.use(await startPeerNamespace(host));
  await addPort(host, "vthief", { bridge: "br-a", end: `name eth0 netns ${thief.pid}` });
  after.defer(async () => void (await host.sh("ip", ["link", "del", "vthief"])));
  const lines = [
    `link set eth0 address ${await macOf(ca, "eth0")}`,
    "link set eth0 up",
    "addr add 172.30.0.2/24 dev eth0",
    "addr add fd88:1::2/64 dev eth0 nodad",
    "route add default via 172.30.0.1",
    "route add ::/0 via fd88:1::1",
  ];
  await thief.sh("ip", ["-batch", "-"], lines.join("\n"));
  return { places: { thief } };
}

async function macOf({ sh }: Namespace, device: string): Promise<string> {
  const [link]: { address: string }[] = JSON.parse(await sh("ip", ["-j", "link", "show", "dev", device]));
  return link?.address ?? "";
}
