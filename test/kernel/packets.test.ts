import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Backend } from "../../src/rules/backend.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { startPeerNamespace } from "./namespace.ts";
import {
  bridgeLines,
  decoyCount,
  GATEWAY_PORT,
  IMDS4,
  IMDS6,
  type Network,
  type Place,
  request,
  startNetwork,
  timeoutFor,
} from "./network.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };
const CLOSED: RuleSet = { ...ALL, parts: "closed" };

/** Each backend, with the program that the foreign rules of a test go in by. */
const BACKENDS: readonly { name: string; foreign: string; make: (run: RunCommand) => Backend }[] = [
  { name: "nftables", foreign: "iptables-nft", make: nftablesBackend },
  { name: "iptables-nft", foreign: "iptables-nft", make: (run) => iptablesBackend(run, "nft") },
  { name: "iptables-legacy", foreign: "iptables-legacy", make: (run) => iptablesBackend(run, "legacy") },
];

interface Row {
  readonly who: string;
  readonly from: Place;
  readonly host: string;
  readonly port?: number;
  readonly wanted: string;
}

/** What everybody reaches without any rule: each row of the tables below that ends in silence has its positive control here. */
const WITHOUT_RULES: readonly Row[] = [
  { who: "a container", from: "ca", host: IMDS4, wanted: "decoy saw 172.30.0.2 on 169.254.169.254" },
  { who: "a container over IPv6", from: "ca", host: IMDS6, wanted: "decoy6 saw fd88:1::2 on fd00:ec2::254" },
  { who: "a container of another bridge", from: "cb", host: IMDS4, wanted: "decoy saw 172.31.0.2 on 169.254.169.254" },
  { who: "a container asking another port", from: "ca", host: IMDS4, port: 8080, wanted: "decoy-other saw 172.30.0.2 on 169.254.169.254" },
  { who: "a neighbour who routes through this host", from: "lan", host: IMDS4, wanted: "decoy saw 10.77.0.9 on 169.254.169.254" },
  { who: "a neighbour over IPv6", from: "lan", host: IMDS6, wanted: "decoy6 saw fd77::9 on fd00:ec2::254" },
  { who: "the host", from: "host", host: IMDS4, wanted: "decoy saw 10.77.0.2 on 169.254.169.254" },
  {
    who: "a container at the gateway's port",
    from: "ca",
    host: "172.30.0.1",
    port: GATEWAY_PORT,
    wanted: "gateway saw 172.30.0.2 on 172.30.0.1",
  },
  {
    who: "a neighbour at the gateway's port",
    from: "lan",
    host: "10.77.0.2",
    port: GATEWAY_PORT,
    wanted: "gateway saw 10.77.0.9 on 10.77.0.2",
  },
];

const HOST_PASSES: readonly Row[] = [
  { who: "the host", from: "host", host: IMDS4, wanted: "decoy saw 10.77.0.2 on 169.254.169.254" },
  { who: "the host over IPv6", from: "host", host: IMDS6, wanted: "decoy6 saw fd77::2 on fd00:ec2::254" },
];

/** What the closed part alone refuses, and all rules as well. */
const REFUSED: readonly Row[] = [
  { who: "a container asking another port", from: "ca", host: IMDS4, port: 8080, wanted: "silence" },
  { who: "a neighbour who routes through this host", from: "lan", host: IMDS4, wanted: "silence" },
  { who: "a neighbour over IPv6", from: "lan", host: IMDS6, wanted: "silence" },
  { who: "a container at the gateway's port", from: "ca", host: "172.30.0.1", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a container at the port, the host's address", from: "ca", host: "10.77.0.2", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a container at the port over IPv6", from: "ca", host: "fd88:1::1", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a neighbour at the gateway's port", from: "lan", host: "10.77.0.2", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a neighbour at the port over IPv6", from: "lan", host: "fd77::2", port: GATEWAY_PORT, wanted: "silence" },
  { who: "the host at its own port", from: "host", host: "127.0.0.1", port: GATEWAY_PORT, wanted: "silence" },
];

const WITH_ALL_RULES: readonly Row[] = [
  { who: "a container", from: "ca", host: IMDS4, wanted: "gateway saw 172.30.0.2 on 172.30.0.1" },
  { who: "a container over IPv6", from: "ca", host: IMDS6, wanted: "gateway6 saw fd88:1::2 on fd88:1::1" },
  { who: "a container of another bridge", from: "cb", host: IMDS4, wanted: "gateway saw 172.31.0.2 on 172.31.0.1" },
  { who: "a container of another bridge, IPv6", from: "cb", host: IMDS6, wanted: "gateway6 saw fd88:2::2 on fd88:2::1" },
  ...HOST_PASSES,
  ...REFUSED,
];

const WITH_THE_CLOSED_PART: readonly Row[] = [
  { who: "a container", from: "ca", host: IMDS4, wanted: "silence" },
  { who: "a container over IPv6", from: "ca", host: IMDS6, wanted: "silence" },
  ...HOST_PASSES,
  ...REFUSED,
];

describe.for(BACKENDS)("packets under $name", ({ name, foreign, make }) => {
  let network: Network;
  let backend: Backend;
  beforeAll(async () => {
    network = await startNetwork();
    backend = make(network.host.run);
  });
  afterAll(() => network[Symbol.asyncDispose]());

  /** Puts the rules in until the test ends. */
  async function apply(ruleSet: RuleSet): Promise<void> {
    onTestFinished(async () => {
      await backend.remove();
    });
    await backend.apply(ruleSet);
  }

  /** What each row's request is answered, asked at the same time; and how many connections the decoy saw of them. */
  async function answers(rows: readonly Row[]): Promise<{ readonly said: Record<string, string>; readonly decoySaw: number }> {
    const before = await decoyCount(network);
    const said = await Promise.all(
      rows.map(async ({ who, from, host, port = 80, wanted }) => [who, await request(network, from, { host, port }, wanted)] as const),
    );
    return { said: Object.fromEntries(said), decoySaw: (await decoyCount(network)) - before };
  }

  function wantedOf(rows: readonly Row[]): { readonly said: Record<string, string>; readonly decoySaw: number } {
    return {
      said: Object.fromEntries(rows.map(({ who, wanted }) => [who, wanted])),
      decoySaw: rows.filter(({ wanted }) => wanted.startsWith("decoy")).length,
    };
  }

  test("without rules everybody reaches the real IMDS, and the gateway's port", async () => {
    expect(await answers(WITHOUT_RULES)).toEqual(wantedOf(WITHOUT_RULES));
  });

  test("with all rules containers reach the gateway with their own address, and nobody else does", async () => {
    await apply(ALL);
    expect(await answers(WITH_ALL_RULES)).toEqual(wantedOf(WITH_ALL_RULES));
  });

  test("with the closed part alone no container reaches anything", async () => {
    await apply(CLOSED);
    expect(await answers(WITH_THE_CLOSED_PART)).toEqual(wantedOf(WITH_THE_CLOSED_PART));
  });

  test("going back from all rules to the closed part takes the redirect out", async () => {
    await apply(ALL);
    await apply(CLOSED);
    expect(await answers(WITH_THE_CLOSED_PART)).toEqual(wantedOf(WITH_THE_CLOSED_PART));
  });

  test("after the removal everybody reaches the real IMDS again", async () => {
    await apply(ALL);
    await backend.remove();
    expect(await answers(WITHOUT_RULES)).toEqual(wantedOf(WITHOUT_RULES));
  });

  test("a gateway that is dead means no metadata", async () => {
    await apply(ALL);
    onTestFinished(async () => {
      await network.host.ask({ act: "listen", name: "gateway", host: "0.0.0.0", port: GATEWAY_PORT });
    });
    await network.host.ask({ act: "close", name: "gateway" });
    const rows: Row[] = [{ who: "a container", from: "ca", host: IMDS4, wanted: "refused" }];
    expect(await answers(rows)).toEqual(wantedOf(rows));
  });

  test.for([
    { parts: "all", ruleSet: ALL },
    { parts: "closed", ruleSet: CLOSED },
  ])("a connection that was open before the rules is dead under them: $parts", async ({ parts, ruleSet }) => {
    const key = `old-${parts}`;
    expect(await network.ca.ask({ act: "open", key, host: IMDS4, port: 80 })).toBe("open");
    await apply(ruleSet);
    const said = await network.ca.ask({ act: "speak", key, timeoutMs: timeoutFor("silence") });
    expect(["silence", "read ECONNRESET"]).toContain(said);
  });

  test("a connection that was open before the rules is served where there are none", async () => {
    await network.ca.ask({ act: "open", key: "control", host: IMDS4, port: 80 });
    const said = await network.ca.ask({ act: "speak", key: "control", timeoutMs: timeoutFor("") });
    expect(said).toBe("decoy saw 172.30.0.2 on 169.254.169.254");
  });

  test("a bridge that is made after the rules is covered", async () => {
    await apply(ALL);
    const late = await startPeerNamespace(network.host);
    onTestFinished(async () => {
      await late[Symbol.asyncDispose]();
      await network.host.sh("ip", ["link", "del", "br-late"]);
    });
    await network.host.sh("ip", ["-batch", "-"], bridgeLines("br-late", late.pid, "172.20.0", "fd88:3:").join("\n"));
    await late.sh("ip", ["-batch", "-"], "link set eth0 up\naddr add 172.20.0.2/24 dev eth0\nroute add default via 172.20.0.1\n");
    const said = await late.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: timeoutFor("gateway") });
    expect(said).toBe("gateway saw 172.20.0.2 on 172.20.0.1");
  });

  test.for([
    { named: "br-a", ca: "gateway saw 172.30.0.2 on 172.30.0.1", cb: "silence", lan: "silence" },
    { named: "br-*", ca: "gateway saw 172.30.0.2 on 172.30.0.1", cb: "gateway saw 172.31.0.2 on 172.31.0.1", lan: "silence" },
    { named: "eth0", ca: "silence", cb: "silence", lan: "gateway saw 10.77.0.9 on 10.77.0.2" },
    {
      named: "*",
      ca: "gateway saw 172.30.0.2 on 172.30.0.1",
      cb: "gateway saw 172.31.0.2 on 172.31.0.1",
      lan: "gateway saw 10.77.0.9 on 10.77.0.2",
    },
  ])("--interface $named redirects what arrives there, and drops the rest", async ({ named, ca, cb, lan }) => {
    await apply({ ...ALL, workloadInterfaces: [named] });
    const rows: Row[] = [
      { who: "ca", from: "ca", host: IMDS4, wanted: ca },
      { who: "cb", from: "cb", host: IMDS4, wanted: cb },
      { who: "lan", from: "lan", host: IMDS4, wanted: lan },
      ...HOST_PASSES,
    ];
    expect(await answers(rows)).toEqual(wantedOf(rows));
  });

  test("a host that owns the IMDS address itself keeps it from containers in the closed part", async () => {
    await network.host.sh("ip", ["addr", "add", `${IMDS4}/32`, "dev", "lo"]);
    await network.host.ask({ act: "listen", name: "embedded", host: IMDS4, port: 80 });
    onTestFinished(async () => {
      await network.host.ask({ act: "close", name: "embedded" });
      await network.host.sh("ip", ["addr", "del", `${IMDS4}/32`, "dev", "lo"]);
    });
    const open: Row = { who: "a container", from: "ca", host: IMDS4, wanted: "embedded saw 172.30.0.2 on 169.254.169.254" };
    expect((await answers([open])).said).toEqual(wantedOf([open]).said);
    await apply(CLOSED);
    const rows: Row[] = [
      { ...open, wanted: "silence" },
      { who: "the host", from: "host", host: IMDS4, wanted: "embedded saw 169.254.169.254 on 169.254.169.254" },
    ];
    expect(await answers(rows)).toEqual(wantedOf(rows));
  });

  test("an interface without an address gives a redirected connection nowhere to land, and it is dropped", async () => {
    const { host, cb } = network;
    await host.sh("ip", ["link", "set", "br-b", "address", "02:00:00:00:00:0b"]);
    onTestFinished(async () => {
      await host.sh("ip", ["-batch", "-"], "route del 172.31.0.0/24 dev br-b\naddr add 172.31.0.1/24 dev br-b\n");
    });
    await host.sh("ip", ["-batch", "-"], "addr del 172.31.0.1/24 dev br-b\nroute add 172.31.0.0/24 dev br-b\n");
    await cb.sh("ip", ["neigh", "replace", "172.31.0.1", "lladdr", "02:00:00:00:00:0b", "dev", "eth0"]);
    const open: Row = { who: "a container", from: "cb", host: IMDS4, wanted: "decoy saw 172.31.0.2 on 169.254.169.254" };
    expect(await answers([open])).toEqual(wantedOf([open]));
    await apply(ALL);
    const dropped: Row = { ...open, wanted: "silence" };
    expect(await answers([dropped])).toEqual(wantedOf([dropped]));
  });

  test("a foreign ACCEPT at the head of FORWARD, as Docker puts there when it starts, opens nothing", async () => {
    await apply(CLOSED);
    onTestFinished(async () => {
      await network.host.sh(foreign, ["-w", "-D", "FORWARD", "-j", "ACCEPT"]);
    });
    await network.host.sh(foreign, ["-w", "-I", "FORWARD", "1", "-j", "ACCEPT"]);
    const rows: Row[] = [{ who: "a container", from: "ca", host: IMDS4, wanted: "silence" }];
    expect(await answers(rows)).toEqual(wantedOf(rows));
  });

  test("an INPUT policy of DROP lets redirected requests in where our rule stands in that chain", async () => {
    await apply(ALL);
    onTestFinished(async () => {
      await network.host.sh(foreign, ["-w", "-P", "INPUT", "ACCEPT"]);
    });
    await network.host.sh(foreign, ["-w", "-P", "INPUT", "DROP"]);
    // nftables cannot outweigh it; `--rules auto` therefore takes iptables there.
    const wanted = name === "nftables" ? "silence" : "gateway saw 172.30.0.2 on 172.30.0.1";
    const rows: Row[] = [{ who: "a container", from: "ca", host: IMDS4, wanted }];
    expect(await answers(rows)).toEqual(wantedOf(rows));
  });
});
