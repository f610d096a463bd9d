import { listForeignRefusals } from "../../src/rules/foreign-refusals.ts";
import { startPeerNamespace } from "./namespace.ts";
import { GATEWAY_PORT, IMDS4, IMDS6 } from "./network.ts";
import type { Arranged, Scenario, Stage } from "./scenario.ts";

const CA4 = { from: "ca", host: IMDS4 };
const CA6 = { from: "ca", host: IMDS6 };
const REAL4 = `decoy saw 172.30.0.2 on ${IMDS4}`;
const REAL6 = `decoy6 saw fd88:1::2 on ${IMDS6}`;
const GATEWAY4 = "gateway saw 172.30.0.2 on 172.30.0.1";
const GATEWAY6 = "gateway6 saw fd88:1::2 on fd88:1::1";

/** Settings of the kernel that hosts differ in, and what a container reaches there without rules. */
const SETTINGS: readonly Scenario[] = [
  { setting: "net.bridge.bridge-nf-call-iptables", value: 0 },
  { setting: "net.bridge.bridge-nf-call-iptables", value: 1 },
  { setting: "net.ipv4.conf.all.rp_filter", value: 0 },
  { setting: "net.ipv4.conf.all.rp_filter", value: 1 },
  { setting: "net.ipv4.conf.all.rp_filter", value: 2 },
  { setting: "net.ipv4.conf.all.route_localnet", value: 0 },
  { setting: "net.ipv4.conf.all.route_localnet", value: 1 },
  { setting: "net.ipv4.ip_forward", value: 0, without: ["silence", REAL6] },
  { setting: "net.ipv4.ip_forward", value: 1 },
].map(({ setting, value, without = [REAL4, REAL6] }) => ({
  name: `a container, with \`${setting}\` = ${value}`,
  questions: [CA4, CA6],
  async arrange({ network: { host }, after }: Stage) {
    const before = (await host.sh("sysctl", ["-n", setting])).trim();
    after.defer(async () => void (await host.sh("sysctl", ["-qw", `${setting}=${before}`])));
    await host.sh("sysctl", ["-qw", `${setting}=${value}`]);
    return undefined;
  },
  without,
  wanted: [GATEWAY4, GATEWAY6],
}));

/** What a host has around the rules, what its networks are like, and in which state the gateway is. */
export const WHAT_STANDS_AROUND: readonly Scenario[] = [
  {
    name: "a container asks for another port of the metadata address",
    questions: [{ ...CA4, port: 8080 }],
    without: [`decoy-other saw 172.30.0.2 on ${IMDS4}`],
    wanted: ["silence"],
  },
  {
    name: "a container, while the gateway is dead",
    questions: [CA4],
    async arrange({ network: { host }, after }) {
      after.defer(async () => void (await host.ask({ act: "listen", name: "gateway", host: "0.0.0.0", port: GATEWAY_PORT })));
      await host.ask({ act: "close", name: "gateway" });
      return undefined;
    },
    without: [REAL4],
    wanted: ["refused"],
  },
  {
    name: "a container, while the closed part stands alone",
    questions: [CA4, CA6],
    parts: "closed",
    without: [REAL4, REAL6],
    wanted: ["silence", "silence"],
  },
  {
    name: "a process of the host, while the closed part stands alone",
    questions: [
      { from: "host", host: IMDS4 },
      { from: "host", host: IMDS6 },
    ],
    parts: "closed",
    without: [`decoy saw 10.77.0.2 on ${IMDS4}`, `decoy6 saw fd77::2 on ${IMDS6}`],
    wanted: [`decoy saw 10.77.0.2 on ${IMDS4}`, `decoy6 saw fd77::2 on ${IMDS6}`],
  },
  {
    name: "a container, over a connection that it opened before the rules",
    questions: [{ ...CA4, isOld: true }],
    without: [REAL4],
    wanted: ["silence"],
  },
  {
    name: "a container, over a connection that it opened before the closed part",
    questions: [{ ...CA4, isOld: true }],
    parts: "closed",
    without: [REAL4],
    wanted: ["silence"],
  },
  {
    name: "a container on an internal network, whose forwarding is dropped, with a default route",
    questions: [{ from: "inner", host: IMDS4 }],
    arrange: (stage) => arrangeInternal(stage, true),
    without: ["silence"],
    wanted: ["gateway saw 172.29.0.2 on 172.29.0.1"],
  },
  {
    name: "the same without a default route, as Docker makes it",
    questions: [{ from: "inner", host: IMDS4 }],
    arrange: (stage) => arrangeInternal(stage, false),
    without: ["no way"],
    wanted: ["no way"],
  },
  {
    name: "a container on a bridge without an address",
    questions: [{ from: "cb", host: IMDS4 }],
    arrange: takeAddressOff,
    without: [`decoy saw 172.31.0.2 on ${IMDS4}`],
    wanted: ["silence"],
  },
  {
    name: "a container on a macvlan of the uplink",
    questions: [{ from: "wire", host: IMDS4 }],
    arrange: arrangeMacvlan,
    without: [`decoy saw 10.77.0.66 on ${IMDS4}`],
    wanted: [`decoy saw 10.77.0.66 on ${IMDS4}`],
  },
  {
    name: "a container, where the host itself owns the metadata address, the closed part alone",
    questions: [CA4],
    arrange: ownTheAddress,
    parts: "closed",
    without: [`embedded saw 172.30.0.2 on ${IMDS4}`],
    wanted: ["silence"],
  },
  {
    name: "a process of the host there",
    questions: [{ from: "host", host: IMDS4 }],
    arrange: ownTheAddress,
    parts: "closed",
    without: [`embedded saw ${IMDS4} on ${IMDS4}`],
    wanted: [`embedded saw ${IMDS4} on ${IMDS4}`],
  },
  {
    name: "a container, with an INPUT policy of DROP",
    questions: [CA4],
    arrange: (stage) => setPolicy(stage, "INPUT"),
    without: [REAL4],
    // `--rules auto` therefore takes iptables there.
    wanted: { nftables: ["silence"], "iptables-nft": [GATEWAY4], "iptables-legacy": [GATEWAY4] },
  },
  {
    name: "a container, with a FORWARD policy of DROP",
    questions: [CA4],
    arrange: (stage) => setPolicy(stage, "FORWARD"),
    without: ["silence"],
    wanted: [GATEWAY4],
  },
  {
    name: "a container, with an input chain in a table of somebody's own nftables that drops what it does not know",
    questions: [CA4, CA6],
    async arrange(stage) {
      await putStrictTable(stage);
      return undefined;
    },
    without: [REAL4, REAL6],
    wanted: ["silence", "silence"],
  },
  {
    name: "the same, with the lines that `imdsgate run` and `doctor` tell",
    questions: [CA4, CA6],
    async arrange(stage) {
      const { host } = stage.network;
      await putStrictTable(stage);
      for (const { help } of await listForeignRefusals(host.run)) {
        for (const line of help) await host.sh("sh", ["-c", line]);
      }
      if ((await listForeignRefusals(host.run)).length > 0) throw new Error("what was told is in, and is told again");
      return undefined;
    },
    without: [REAL4, REAL6],
    wanted: [GATEWAY4, GATEWAY6],
  },
  {
    name: "a container, with an ACCEPT of Docker at the head of FORWARD, the closed part alone",
    questions: [CA4],
    async arrange({ network: { host }, foreign, after }) {
      after.defer(async () => void (await host.sh(foreign, ["-w", "-D", "FORWARD", "-j", "ACCEPT"])));
      await host.sh(foreign, ["-w", "-I", "FORWARD", "1", "-j", "ACCEPT"]);
      return undefined;
    },
    isLate: true,
    parts: "closed",
    without: [REAL4],
    wanted: ["silence"],
  },
  ...SETTINGS,
];

async function arrangeInternal({ network: { host }, foreign, after }: Stage, hasRoute: boolean): Promise<Arranged> {
  after.defer(async () => void (await host.sh("ip", ["link", "del", "br-in"])));
  const inner = after.use(await startPeerNamespace(host));
  const lines = [
    "link add br-in type bridge",
    "link set br-in up",
    "addr add 172.29.0.1/24 dev br-in",
    `link add vin type veth peer name eth0 netns ${inner.pid}`,
    "link set vin master br-in up",
  ];
  await host.sh("ip", ["-batch", "-"], lines.join("\n"));
  after.defer(async () => void (await host.sh(foreign, ["-w", "-D", "FORWARD", "-i", "br-in", "-j", "DROP"])));
  await host.sh(foreign, ["-w", "-A", "FORWARD", "-i", "br-in", "-j", "DROP"]);
  const route = hasRoute ? "route add default via 172.29.0.1\n" : "";
  await inner.sh("ip", ["-batch", "-"], `link set eth0 up\naddr add 172.29.0.2/24 dev eth0\n${route}`);
  return { places: { inner } };
}

async function takeAddressOff({ network: { host, cb }, after }: Stage): Promise<undefined> {
  await host.sh("ip", ["link", "set", "br-b", "address", "02:00:00:00:00:0b"]);
  after.defer(
    async () => void (await host.sh("ip", ["-batch", "-"], "route del 172.31.0.0/24 dev br-b\naddr add 172.31.0.1/24 dev br-b\n")),
  );
  await host.sh("ip", ["-batch", "-"], "addr del 172.31.0.1/24 dev br-b\nroute add 172.31.0.0/24 dev br-b\n");
  await cb.sh("ip", ["neigh", "replace", "172.31.0.1", "lladdr", "02:00:00:00:00:0b", "dev", "eth0"]);
}

async function arrangeMacvlan({ network: { host }, after }: Stage): Promise<Arranged> {
  const wire = after.use(await startPeerNamespace(host));
  await host.sh("ip", ["link", "add", "mac0", "link", "eth0", "type", "macvlan", "mode", "bridge"]);
  await host.sh("ip", ["link", "set", "mac0", "netns", `${wire.pid}`]);
  await wire.sh("ip", ["-batch", "-"], "link set mac0 up\naddr add 10.77.0.66/24 dev mac0\nroute add default via 10.77.0.1\n");
  return { places: { wire } };
}

async function ownTheAddress({ network: { host }, after }: Stage): Promise<undefined> {
  after.defer(async () => void (await host.sh("ip", ["addr", "del", `${IMDS4}/32`, "dev", "lo"])));
  await host.sh("ip", ["addr", "add", `${IMDS4}/32`, "dev", "lo"]);
  after.defer(async () => void (await host.ask({ act: "close", name: "embedded" })));
  await host.ask({ act: "listen", name: "embedded", host: IMDS4, port: 80 });
}

async function setPolicy({ network: { host }, foreign, after }: Stage, chain: "INPUT" | "FORWARD"): Promise<undefined> {
  after.defer(async () => void (await host.sh(foreign, ["-w", "-P", chain, "ACCEPT"])));
  await host.sh(foreign, ["-w", "-P", chain, "DROP"]);
}

/** The table of an administrator who lets in what he knows and nothing else. */
const STRICT = `
table inet strict {
  chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "lo" accept; meta l4proto { icmp, ipv6-icmp } accept; }
}
`;

async function putStrictTable({ network: { host }, after }: Stage): Promise<void> {
  after.defer(async () => void (await host.sh("nft", ["delete", "table", "inet", "strict"])));
  await host.sh("nft", ["-f", "-"], STRICT);
}
