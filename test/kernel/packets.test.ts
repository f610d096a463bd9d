import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Backend } from "../../src/rules/backend.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import { decoyCount, GATEWAY_PORT, IMDS4, IMDS6, type Network, type Place, request, startNetwork } from "./network.ts";
import { outcomeWanted, playScenario } from "./play-scenario.ts";
import { TOOLS } from "./scenario.ts";
import { WHO_ASKS } from "./who-asks.ts";

const isRoot = process.getuid?.() === 0;
const ALL: RuleSet = { parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };
const CLOSED: RuleSet = { ...ALL, parts: "closed" };

interface Row {
  readonly who: string;
  readonly from: Place;
  readonly host: string;
  readonly port?: number;
  readonly wanted: string;
}

const HOST_PASSES: readonly Row[] = [
  { who: "the host", from: "host", host: IMDS4, wanted: "decoy saw 10.77.0.2 on 169.254.169.254" },
  { who: "the host over IPv6", from: "host", host: IMDS6, wanted: "decoy6 saw fd77::2 on fd00:ec2::254" },
];

const WITHOUT_RULES: readonly Row[] = [
  { who: "a container", from: "ca", host: IMDS4, wanted: "decoy saw 172.30.0.2 on 169.254.169.254" },
  { who: "a container over IPv6", from: "ca", host: IMDS6, wanted: "decoy6 saw fd88:1::2 on fd00:ec2::254" },
  { who: "a neighbour", from: "lan", host: IMDS4, wanted: "decoy saw 10.77.0.9 on 169.254.169.254" },
  { who: "a neighbour at the port", from: "lan", host: "10.77.0.2", port: GATEWAY_PORT, wanted: "gateway saw 10.77.0.9 on 10.77.0.2" },
  ...HOST_PASSES,
];

const WITH_THE_CLOSED_PART: readonly Row[] = [
  { who: "a container", from: "ca", host: IMDS4, wanted: "silence" },
  { who: "a container over IPv6", from: "ca", host: IMDS6, wanted: "silence" },
  { who: "a container asking another port", from: "ca", host: IMDS4, port: 8080, wanted: "silence" },
  { who: "a container at the gateway's port", from: "ca", host: "172.30.0.1", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a container at the port over IPv6", from: "ca", host: "fd88:1::1", port: GATEWAY_PORT, wanted: "silence" },
  { who: "a neighbour", from: "lan", host: IMDS4, wanted: "silence" },
  { who: "a neighbour over IPv6", from: "lan", host: IMDS6, wanted: "silence" },
  { who: "a neighbour at the port", from: "lan", host: "10.77.0.2", port: GATEWAY_PORT, wanted: "silence" },
  { who: "the host at its own port", from: "host", host: "127.0.0.1", port: GATEWAY_PORT, wanted: "silence" },
  ...HOST_PASSES,
];

describe.for(TOOLS)("packets under $name", (tool) => {
  let network: Network;
  let backend: Backend;
  beforeAll(async () => {
    network = await startNetwork();
    backend = tool.make(network.host.run);
  });
  afterAll(() => network[Symbol.asyncDispose]());

  test.for(WHO_ASKS)("$name", async (scenario, { skip }) => {
    if (scenario.needsRoot && !isRoot) skip("it needs root");
    expect(await playScenario(network, tool, scenario)).toEqual(outcomeWanted(scenario, tool));
  });

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

  test("going back from all rules to the closed part takes the redirect out, and the rest stays", async () => {
    await apply(ALL);
    await apply(CLOSED);
    expect(await answers(WITH_THE_CLOSED_PART)).toEqual(wantedOf(WITH_THE_CLOSED_PART));
  });

  test("after the removal everybody reaches the real IMDS again", async () => {
    await apply(ALL);
    await backend.remove();
    expect(await answers(WITHOUT_RULES)).toEqual(wantedOf(WITHOUT_RULES));
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
});
