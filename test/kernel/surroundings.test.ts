import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Backend } from "../../src/rules/backend.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { startPeerNamespace } from "./namespace.ts";
import { decoyCount, GATEWAY_PORT, IMDS4, IMDS6, type Network, request, startNetwork, timeoutFor } from "./network.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };

const BACKENDS: readonly { name: string; foreign: string; make: (run: RunCommand) => Backend }[] = [
  { name: "nftables", foreign: "iptables-nft", make: nftablesBackend },
  { name: "iptables-nft", foreign: "iptables-nft", make: (run) => iptablesBackend(run, "nft") },
  { name: "iptables-legacy", foreign: "iptables-legacy", make: (run) => iptablesBackend(run, "legacy") },
];

/** Settings of the kernel that hosts differ in, and what the redirect must not depend on. */
const SETTINGS = [
  { setting: "net.bridge.bridge-nf-call-iptables", values: ["0", "1"] },
  { setting: "net.ipv4.conf.all.rp_filter", values: ["0", "1", "2"] },
  { setting: "net.ipv4.ip_forward", values: ["0", "1"] },
  { setting: "net.ipv4.conf.all.route_localnet", values: ["0", "1"] },
].flatMap(({ setting, values }) => values.map((value) => ({ setting, value })));

describe.for(BACKENDS)("under $name", ({ foreign, make }) => {
  let network: Network;
  let backend: Backend;
  beforeAll(async () => {
    network = await startNetwork();
    backend = make(network.host.run);
    await backend.apply(ALL);
  });
  afterAll(() => network[Symbol.asyncDispose]());
  afterEach(async () => {
    await backend.apply(ALL);
  });

  const fromCa = (host: string, wanted: string, port = 80) => request(network, "ca", { host, port }, wanted);

  test.for(SETTINGS)("a container is served with $setting = $value, over both families", async ({ setting, value }) => {
    const before = (await network.host.sh("sysctl", ["-n", setting])).trim();
    onTestFinished(async () => {
      await network.host.sh("sysctl", ["-qw", `${setting}=${before}`]);
    });
    await network.host.sh("sysctl", ["-qw", `${setting}=${value}`]);
    expect(await fromCa(IMDS4, "gateway")).toBe("gateway saw 172.30.0.2 on 172.30.0.1");
    expect(await fromCa(IMDS6, "gateway6")).toBe("gateway6 saw fd88:1::2 on fd88:1::1");
  });

  test("a FORWARD policy of DROP does not keep a container from the gateway", async () => {
    onTestFinished(async () => {
      await network.host.sh(foreign, ["-w", "-P", "FORWARD", "ACCEPT"]);
    });
    await network.host.sh(foreign, ["-w", "-P", "FORWARD", "DROP"]);
    expect(await fromCa(IMDS4, "gateway")).toBe("gateway saw 172.30.0.2 on 172.30.0.1");
  });

  test("the gateway's port number on other hosts is theirs", async () => {
    await network.lan.ask({ act: "listen", name: "theirs", host: "10.77.0.9", port: GATEWAY_PORT });
    onTestFinished(async () => {
      await network.lan.ask({ act: "close", name: "theirs" });
    });
    await network.lan.sh("ip", ["route", "replace", "172.30.0.0/24", "via", "10.77.0.2"]);
    expect(await fromCa("10.77.0.9", "theirs", GATEWAY_PORT)).toBe("theirs saw 172.30.0.2 on 10.77.0.9");
  });

  test("a container on an internal network, which has no way out, is served all the same", async () => {
    const { host } = network;
    const inner = await startPeerNamespace(host);
    onTestFinished(async () => {
      await inner[Symbol.asyncDispose]();
      await host.sh("ip", ["link", "del", "br-in"]);
      await host.sh(foreign, ["-w", "-D", "FORWARD", "-i", "br-in", "-j", "DROP"]);
    });
    const lines = [
      "link add br-in type bridge",
      "link set br-in up",
      "addr add 172.29.0.1/24 dev br-in",
      `link add vin type veth peer name eth0 netns ${inner.pid}`,
      "link set vin master br-in up",
    ];
    await host.sh("ip", ["-batch", "-"], lines.join("\n"));
    await host.sh(foreign, ["-w", "-A", "FORWARD", "-i", "br-in", "-j", "DROP"]);
    await inner.sh("ip", ["-batch", "-"], "link set eth0 up\naddr add 172.29.0.2/24 dev eth0\nroute add default via 172.29.0.1\n");
    expect(await inner.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: timeoutFor("gateway") })).toBe(
      "gateway saw 172.29.0.2 on 172.29.0.1",
    );
  });

  test("a container with two networks is seen by the address of the one that its packets leave by", async () => {
    const { host, ca } = network;
    await host.sh("ip", ["-batch", "-"], `link add vsecond type veth peer name eth1 netns ${ca.pid}\nlink set vsecond master br-b up\n`);
    onTestFinished(async () => {
      await host.sh("ip", ["link", "del", "vsecond"]);
    });
    await ca.sh("ip", ["-batch", "-"], "link set eth1 up\naddr add 172.31.0.7/24 dev eth1\n");
    expect(await fromCa(IMDS4, "gateway")).toBe("gateway saw 172.30.0.2 on 172.30.0.1");
    await ca.sh("ip", ["route", "replace", "default", "via", "172.31.0.1", "dev", "eth1"]);
    onTestFinished(async () => {
      await ca.sh("ip", ["route", "replace", "default", "via", "172.30.0.1", "dev", "eth0"]);
    });
    expect(await fromCa(IMDS4, "gateway")).toBe("gateway saw 172.31.0.7 on 172.31.0.1");
  });

  test("a macvlan on the uplink is on the wire, past every hook: no rule here reaches it", async () => {
    const { host } = network;
    const wire = await startPeerNamespace(host);
    onTestFinished(() => wire[Symbol.asyncDispose]());
    await host.sh("ip", ["link", "add", "mac0", "link", "eth0", "type", "macvlan", "mode", "bridge"]);
    await host.sh("ip", ["link", "set", "mac0", "netns", `${wire.pid}`]);
    await wire.sh("ip", ["-batch", "-"], "link set mac0 up\naddr add 10.77.0.66/24 dev mac0\nroute add default via 10.77.0.1\n");
    const before = await decoyCount(network);
    expect(await wire.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: timeoutFor("decoy") })).toBe(
      "decoy saw 10.77.0.66 on 169.254.169.254",
    );
    expect((await decoyCount(network)) - before).toBe(1);
  });
});
