import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BridgeGuard, ebtablesBridgeGuard, nftBridgeGuard } from "../../src/rules/bridge-guard.ts";
import type { BridgeGuardSet } from "../../src/rules/bridge-guard-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import {
  type AttackOutcome,
  type BridgeGuardNetwork,
  startAgain,
  startBridgeGuardNetwork,
  whatBecomesOfClaimed,
} from "./bridge-guard-network.ts";
import { dumpRules } from "./dump.ts";
import { IMDS4, IMDS6 } from "./network.ts";

/** Every way to speak as the victim. `gain` is what it brings: answers and frames of the victim, or requests in its name. */
const KINDS = [
  { kind: "address4", from: "attacker", gain: "arrived" },
  { kind: "address6", from: "attacker", gain: "arrived" },
  { kind: "second-address4", from: "attacker", gain: "arrived" },
  { kind: "nobodys-address4", from: "attacker", gain: "arrived" },
  { kind: "nobodys-address6", from: "attacker", gain: "arrived" },
  { kind: "address4", from: "machine", gain: "arrived" },
  { kind: "address6", from: "machine", gain: "arrived" },
  { kind: "arp-request", from: "machine", gain: "leaked" },
  { kind: "solicit", from: "machine", gain: "leaked" },
  { kind: "mac", from: "machine", gain: "leaked" },
  { kind: "unknown-mac-address4", from: "attacker", gain: "arrived" },
  { kind: "mac-address4", from: "attacker", gain: "answers" },
  { kind: "mac-address6", from: "attacker", gain: "answers" },
  { kind: "mac", from: "attacker", gain: "leaked" },
  { kind: "group-mac", from: "attacker", gain: "leaked" },
  { kind: "arp-request", from: "attacker", gain: "leaked" },
  { kind: "arp-reply", from: "attacker", gain: "leaked" },
  { kind: "arp-odd-hardware", from: "attacker", gain: "leaked" },
  { kind: "arp-tagged", from: "attacker", gain: "leaked" },
  { kind: "arp-tagged-ad", from: "attacker", gain: "leaked" },
  { kind: "arp-tagged-twice", from: "attacker", gain: "leaked" },
  { kind: "arp-for-bridge", from: "attacker", gain: "leaked" },
  { kind: "advert-own-source", from: "attacker", gain: "leaked" },
  { kind: "advert-behind-options", from: "attacker", gain: "leaked" },
  { kind: "advert-tagged", from: "attacker", gain: "leaked" },
  { kind: "advert-their-source", from: "attacker", gain: "leaked" },
  { kind: "advert-for-bridge", from: "attacker", gain: "leaked" },
  { kind: "solicit", from: "attacker", gain: "leaked" },
  { kind: "router-solicit", from: "attacker", gain: "leaked" },
] as const;

/** 10,000 in all. */
const TRIES = Math.ceil(10_000 / KINDS.length);
const NOTHING: AttackOutcome = { sent: TRIES, leaked: 0, answers: 0, arrived: 0 };

const TOOLS: readonly {
  readonly tool: string;
  readonly guardOf: (run: RunCommand) => BridgeGuard;
  readonly sees: (kind: string) => boolean;
}[] = [
  { tool: "nft", guardOf: nftBridgeGuard, sees: () => true },
  {
    tool: "ebtables-nft",
    guardOf: (run) => ebtablesBridgeGuard(run, "ebtables-nft"),
    // Whom an advertisement is about, ebtables does not see: docs and doctor say so.
    sees: (kind) => !["advert-own-source", "advert-behind-options", "advert-for-bridge"].includes(kind),
  },
];

let network: BridgeGuardNetwork;
beforeAll(async () => {
  network = await startBridgeGuardNetwork();
});
afterAll(() => network[Symbol.asyncDispose]());

describe("without a guard", () => {
  test.for(KINDS)("the $from gains by $kind", async ({ kind, from, gain }) => {
    await network.heal();
    const outcome = await network.attack(kind, TRIES, from);
    expect(outcome).toMatchObject({ sent: TRIES, [gain]: expect.toSatisfy((count: number) => count > 0) });
  });

  test("a container believes in another's way out", async () => {
    await network.attack("router-advert", 20);
    expect(await advertisedRoutes()).toContain("default via fe80::ff:fe00:3 dev eth0");
    await forgetRoutes();
  });

  test("a container that is getting its address gives it up to whoever claims it", async () => {
    expect(await whatBecomesOfClaimed(network)).toBe("given up");
  });
});

describe.for(TOOLS)("with the guard of $tool", ({ tool, guardOf, sees }) => {
  let guard: BridgeGuard;
  let before: string;
  beforeAll(async () => {
    before = await found();
    guard = guardOf(network.host.run);
    await guard.put(network.set);
    await network.heal();
  });
  beforeEach(() => guard.keepAlive());
  afterAll(async () => {
    await guard.remove();
  });

  test.for(KINDS.filter(({ kind }) => sees(kind)))("the $from gains nothing by $kind, and the victim is served", async ({ kind, from }) => {
    await network.heal();
    const connected = (await network.connected())["172.30.0.2"] ?? 0;
    const [outcome, served] = await Promise.all([network.attack(kind, TRIES, from), askAsVictim()]);
    expect(outcome).toEqual(NOTHING);
    expect(served).toEqual(["gateway saw 172.30.0.2 SECRET", "gateway saw fd88:1::2 SECRET", "gateway saw 172.30.0.2 SECRET"]);
    expect((await network.connected())["172.30.0.2"]).toBe(connected + 2);
  });

  test.for(KINDS.filter(({ kind }) => !sees(kind)))("what remains is $kind", async ({ kind }) => {
    await network.heal();
    expect((await network.attack(kind, 100)).leaked).toBeGreaterThan(0);
    await network.heal();
  });

  test("no container believes in another's way out", async () => {
    await network.attack("router-advert", 20);
    expect(await advertisedRoutes()).toBe("");
  });

  // Whom a solicitation is about, ebtables does not see either.
  test(`a container that is getting its address ${tool === "nft" ? "keeps it, although another" : "gives it up to whoever"} claims it`, async () => {
    expect(await whatBecomesOfClaimed(network)).toBe(tool === "nft" ? "kept" : "given up");
  });

  test("what the inventory does not know passes, and containers talk to each other", async () => {
    const { victim, attacker, machine } = network;
    await victim.ask({ act: "listen", name: "victim", host: "0.0.0.0", port: 8_000 });
    await victim.ask({ act: "listen", name: "victim6", host: "::", port: 8_000 });
    const from = (place: BridgeGuardNetwork["machine"], host: string, port: number) =>
      place.ask({ act: "request", host, port, timeoutMs: 5_000 });
    expect([
      await from(machine, IMDS4, 80),
      await from(machine, IMDS6, 80),
      await from(attacker, IMDS4, 80),
      await from(attacker, "172.30.0.2", 8_000),
      await from(machine, "172.30.0.2", 8_000),
      await from(machine, "fd88:1::2", 8_000),
    ]).toEqual([
      "gateway saw 172.30.0.4 SECRET",
      "gateway saw fd88:1::4 SECRET",
      "gateway saw 172.30.0.3 SECRET",
      "victim saw 172.30.0.3 on 172.30.0.2",
      "victim saw 172.30.0.4 on 172.30.0.2",
      "victim6 saw fd88:1::4 on fd88:1::2",
    ]);
    await victim.ask({ act: "close", name: "victim" });
    await victim.ask({ act: "close", name: "victim6" });
  });

  test("a container may speak from its second network's address over its first network", async () => {
    const said = await network.victim.sh("python3", ["-c", ASK_FROM, "172.31.0.2", IMDS4]);
    expect(said).toBe("gateway saw 172.31.0.2 SECRET");
  });

  test("a restarted container speaks as soon as its new veth is known, and the others all along", async () => {
    await using again = await startAgain(network);
    const ask = (timeoutMs: number) => again.container.ask({ act: "request", host: IMDS4, port: 80, timeoutMs });
    await guard.put(again.old);
    expect(await ask(400)).toBe("silence");
    const others = askOften(network);
    for (let count = 0; count < 5; count += 1) {
      await guard.put(again.old);
      await guard.put(again.new);
    }
    expect(await ask(5_000)).toBe("gateway saw 172.30.0.5 SECRET");
    expect(await guard.differences()).toEqual([]);
    expect(await others).toEqual(Array.from({ length: 20 }, () => "gateway saw 172.30.0.3 SECRET"));
    await guard.put(network.set);
  });

  test("what somebody takes out is missed, and the next put brings it back", async () => {
    const { host } = network;
    for (const damage of DAMAGES[guard.tool]) {
      await host.sh(damage[0], damage.slice(1));
      expect(await guard.differences(), damage.join(" ")).not.toEqual([]);
      guard.forget();
      await guard.put(network.set);
      expect(await guard.differences(), damage.join(" ")).toEqual([]);
    }
  });

  test("a change of what somebody has taken out puts in all", async () => {
    await network.host.sh("nft", ["delete", "table", "bridge", guard.tool === "nft" ? "imdsgate" : "nat"]);
    const grown: BridgeGuardSet = { ...network.set, hostAddresses: [...network.set.hostAddresses, "172.32.0.1"] };
    await guard.put(grown);
    expect(await guard.differences()).toEqual([]);
    await guard.put(network.set);
    expect(await guard.differences()).toEqual([]);
  });

  // ebtables has no element that ends by itself.
  if (tool === "nft")
    test("a guard that nobody keeps alive lets everybody through, so that a new container with a dead one's address is not cut off", async () => {
      const { host } = network;
      // As the kernel does when the time is over.
      await host.sh("nft", ["flush", "set", "bridge", "imdsgate", "alive"]);
      await network.heal();
      expect((await network.attack("address4", 50)).arrived).toBeGreaterThan(0);
      expect((await guard.differences()).map(({ kind, rule }) => `${kind} ${rule}`)).toEqual(["missing ether"]);
      await guard.keepAlive();
      expect(await guard.differences()).toEqual([]);
      expect(await network.attack("address4", 50)).toEqual({ ...NOTHING, sent: 50 });
      expect(await host.sh("nft", ["list", "set", "bridge", "imdsgate", "alive"])).toMatch(/ether timeout 30s expires \d/);
    });

  test("another process finds the guard, and takes it out without a trace", async () => {
    const other = guardOf(network.host.run);
    expect((await other.standing()).chains.map(({ rules }) => rules.length)).toEqual(
      (await guard.standing()).chains.map(({ rules }) => rules.length),
    );
    expect(await other.remove()).toBe(true);
    expect(await found()).toBe(before);
    expect(await other.remove()).toBe(false);
    guard.forget();
    await guard.put(network.set);
  });

  test("a bridge that had been told before us stays told", async () => {
    const { host } = network;
    await guard.remove();
    await host.sh("ip", ["link", "set", "dev", "br-b", "type", "bridge", "no_linklocal_learn", "1"]);
    await guard.put(network.set);
    await guard.remove();
    expect(await learning()).toBe("br-a 0, br-b 1");
    await host.sh("ip", ["link", "set", "dev", "br-b", "type", "bridge", "no_linklocal_learn", "0"]);
    await guard.put(network.set);
  });
});

const DAMAGES: Readonly<Record<BridgeGuard["tool"], readonly (readonly [string, ...string[]])[]>> = {
  nft: [
    ["nft", "delete table bridge imdsgate"],
    ["nft", "flush ruleset bridge"],
    ["nft", "flush chain bridge imdsgate prerouting"],
    ["nft", "insert rule bridge imdsgate prerouting accept"],
    ["nft", "add element bridge imdsgate ports { vattacker . 02:00:00:00:00:02 }"],
    ["nft", "delete element bridge imdsgate addresses4 { 172.30.0.2 }"],
    ["nft", "add table bridge imdsgate { flags dormant; }"],
    ["ip", "link", "set", "dev", "br-a", "type", "bridge", "no_linklocal_learn", "0"],
  ],
  ebtables: [
    ["ebtables-nft", "-t", "nat", "-F"],
    ["ebtables-nft", "-t", "nat", "-F", "IMDSGATE-IP4"],
    ["ebtables-nft", "-t", "nat", "-D", "PREROUTING", "-j", "IMDSGATE-GUARD"],
    ["ebtables-nft", "-t", "nat", "-I", "IMDSGATE-MAC", "-s", "02:00:00:00:00:02", "-j", "ACCEPT"],
    ["ebtables-nft", "-t", "nat", "-A", "IMDSGATE-MAC", "-s", "02:00:00:00:00:09", "-j", "RETURN"],
    ["ip", "link", "set", "dev", "br-a", "type", "bridge", "no_linklocal_learn", "0"],
  ],
};

const ASK_FROM = `import socket, sys
s = socket.create_connection((sys.argv[2], 80), 5, (sys.argv[1], 0))
s.send(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(s.recv(100).decode(), end="")`;

async function askAsVictim(): Promise<readonly string[]> {
  const said: string[] = [];
  for (const host of [IMDS4, IMDS6, IMDS4]) said.push(await network.victim.ask({ act: "request", host, port: 80, timeoutMs: 10_000 }));
  return said;
}

async function askOften({ attacker }: BridgeGuardNetwork): Promise<readonly string[]> {
  const said: string[] = [];
  for (let count = 0; count < 20; count += 1) said.push(await attacker.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: 5_000 }));
  return said;
}

async function advertisedRoutes(): Promise<string> {
  return network.victim.sh("ip", ["-6", "route", "show", "proto", "ra"]);
}

async function forgetRoutes(): Promise<void> {
  for (const { sh } of [network.victim, network.machine]) {
    await sh("ip", ["-6", "route", "flush", "proto", "ra"]);
    await sh("ip", ["-6", "addr", "flush", "dev", "eth0", "dynamic"]);
  }
}

/** The host as it is, apart from counters. */
async function found(): Promise<string> {
  const ebtables = await network.host.sh("ebtables-nft-save", []);
  const rules = (await dumpRules(network.host)).replace(/packets \d+ bytes \d+/g, "");
  return [rules, ebtables.replace(/^#.*\n/gm, ""), await learning()].join("\n");
}

async function learning(): Promise<string> {
  const bridges: { ifname: string; linkinfo: { info_data: { no_linklocal_learn: number } } }[] = JSON.parse(
    await network.host.sh("ip", ["-j", "-d", "link", "show", "type", "bridge"]),
  );
  return bridges.map(({ ifname, linkinfo }) => `${ifname} ${linkinfo.info_data.no_linklocal_learn}`).join(", ");
}
