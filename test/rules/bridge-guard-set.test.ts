import { describe, expect, test } from "vitest";
import { type BridgeGuardState, changedParts, type GuardedPort, refuseUnlikelySet } from "../../src/rules/bridge-guard-set.ts";
import { nftBridgeGuardChange } from "../../src/rules/nft-bridge-guard.ts";

const PORT: GuardedPort = { interfaceName: "veth1", macs: ["02:00:00:00:00:02"], addresses: ["172.17.0.2", "fd88::2"] };

const FRESH: GuardedPort = { interfaceName: "fresh", macs: ["02:00:00:00:01:00"], addresses: ["172.18.0.2"] };

describe("what a tool could read as something else", () => {
  test.for([
    { port: { ...PORT, interfaceName: "veth*" } },
    { port: { ...PORT, interfaceName: "*" } },
    { port: { ...PORT, interfaceName: "" } },
    { port: { ...PORT, interfaceName: 've"th' } },
    { port: { ...PORT, interfaceName: "veth\n1" } },
    { port: { ...PORT, interfaceName: "veth+" } },
    { port: { ...PORT, interfaceName: "-veth" } },
    { port: { ...PORT, interfaceName: "a-name-too-long1" } },
    { port: { ...PORT, macs: ["02:00:00:00:00"] } },
    { port: { ...PORT, macs: ["02:00:00:00:00:0G"] } },
    { port: { ...PORT, macs: ["02:00:00:00:00:AB"] } },
    { port: { ...PORT, addresses: ["172.17.0.0/16"] } },
    { port: { ...PORT, addresses: ["172.17.0.02"] } },
    { port: { ...PORT, addresses: ["fd88:0::2"] } },
    { port: { ...PORT, addresses: ["fe80::1%eth0"] } },
    { port: { ...PORT, addresses: ["::1.2.3.4"] } },
    { port: { ...PORT, addresses: ["localhost"] } },
  ])("is refused: $port", ({ port }) => {
    expect(() => refuseUnlikelySet({ ports: [port], hostAddresses: [] })).toThrow(/cannot hold/);
  });

  test("is refused among the host's addresses", () => {
    expect(() => refuseUnlikelySet({ ports: [], hostAddresses: ["172.17.0.1/16"] })).toThrow(/cannot hold the address "172.17.0.1\/16"/);
  });

  test("is nothing of what runtimes give", () => {
    const names = ["veth1a2b3c4", "veth0@if5", "br-1.20", "lxc_a:b", "fifteen-letters"];
    expect(() =>
      refuseUnlikelySet({ ports: names.map((interfaceName) => ({ ...PORT, interfaceName })), hostAddresses: ["::1"] }),
    ).not.toThrow();
  });
});

describe("the parts that a change concerns", () => {
  const ports = Array.from(
    { length: 50 },
    (_, index): GuardedPort => ({
      interfaceName: `veth${index}`,
      // Two ports each are of one container.
      macs: [index, index ^ 1].map((of) => `02:00:00:00:00:${of.toString(16).padStart(2, "0")}`),
      addresses: [index, index ^ 1].map((of) => `172.17.0.${of + 2}`),
    }),
  );
  const state: BridgeGuardState = { ports, hostAddresses: ["172.17.0.1"], bridges: [] };

  test.for([
    { name: "nothing", after: state, concerned: 0 },
    { name: "a port is gone, and its twin stays", after: { ...state, ports: ports.slice(1) }, concerned: 2 },
    { name: "a container is gone", after: { ...state, ports: ports.slice(2) }, concerned: 2 },
    {
      name: "a port has another address",
      after: { ...state, ports: ports.map((port, index) => (index === 4 ? { ...port, addresses: ["172.18.0.1"] } : port)) },
      concerned: 2,
    },
    {
      name: "a new port takes an old address",
      after: { ...state, ports: [...ports, { ...FRESH, addresses: ["172.17.0.9"] }] },
      concerned: 2,
    },
    { name: "the host gives up what a port owns", before: { ...state, hostAddresses: ["172.17.0.9"] }, after: state, concerned: 2 },
    { name: "a port is new and shares nothing", after: { ...state, ports: [...ports, FRESH] }, concerned: 0 },
    { name: "a bridge is remembered", after: { ...state, bridges: ["docker0"] }, concerned: 0 },
  ])("are few and make the same change: $name", ({ before = state, after, concerned }) => {
    const parts = changedParts(before, after);
    expect(parts.before.ports.length).toBe(concerned);
    const linesOf = (text: string) =>
      text
        .split("\n")
        .flatMap((line) => line.split(/[{},]/).map((word) => word.trim()))
        .sort();
    expect(linesOf(nftBridgeGuardChange(parts.before, parts.after))).toEqual(linesOf(nftBridgeGuardChange(before, after)));
  });
});
