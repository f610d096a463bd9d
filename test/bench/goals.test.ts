import { describe, expect, test } from "vitest";
import type { CredentialsCost } from "../../bench/credentials.ts";
import { credentialsGoals } from "../../bench/credentials-report.ts";
import { type Goal, goalsOf, goalTable } from "../../bench/goals.ts";
import type { IdentityCost, RoomFindings } from "../../bench/identity.ts";
import { identityGoals } from "../../bench/identity-report.ts";
import type { Findings } from "../../bench/report.ts";
import type { Cell } from "../../bench/rounds.ts";
import type { KeptIdle, RulesCost } from "../../bench/rules.ts";
import { rulesGoals } from "../../bench/rules-report.ts";

type Verdict = "met" | "missed" | "not measured";

/** The goals by name, each with what the table says of it in words. */
function verdicts(goals: readonly Goal[]): Readonly<Record<string, Verdict>> {
  const words = { met: "met", "**missed**": "missed", "not measured": "not measured" } as const;
  const rows = goalTable(goals).split("\n").slice(2);
  return Object.fromEntries(
    rows.map((row) => {
      const [, name = "", , , word = ""] = row.split("|").map((cell) => cell.trim());
      if (!(word in words)) throw new Error(`${name} is ${word}`);
      return [name, words[word as keyof typeof words]];
    }),
  );
}

const allOf = (goals: readonly Goal[], verdict: Verdict) => Object.fromEntries(goals.map(({ name }) => [name, verdict]));

test.for<{ measured: number | undefined; row: string }>([
  { measured: 5, row: "| a | 5 ms | 5 ms | met |" },
  { measured: 5.01, row: "| a | 5 ms | 5 ms | **missed** |" },
  { measured: 0, row: "| a | 5 ms | 0 ms | met |" },
  { measured: Number.NaN, row: "| a | 5 ms | NaN ms | **missed** |" },
  { measured: undefined, row: "| a | 5 ms | – | not measured |" },
])("a goal of 5 ms at most, where $measured was measured", ({ measured, row }) => {
  expect(goalTable([{ name: "a", atMost: 5, measured, unit: "ms" }]).split("\n")[2]).toBe(row);
});

/** A host with rules whose every figure is `share` of what it may be. */
function rulesCost(share: number, containers = 1_000, idleMs = 90_000): RulesCost {
  const change = (ms: number) => ({ wholeMs: ms * share, transactionMs: ms * share, ran: [] });
  const host = (backend: string, corePercent: number): KeptIdle => ({
    changes: { backend, containers, apply: change(50), guardAll: change(50), addOne: change(5), interfacesMs: 1, startMs: 1 },
    idleMs,
    cpuMs: 1,
    coreShare: (corePercent / 100) * share,
  });
  const ratio = 1.05 * share;
  return {
    nft: host("nftables", 0.1),
    legacy: host("iptables-legacy", 0.5),
    foreign: { requests: 1, withoutMs: 1, rulesRatio: ratio, guardRatio: ratio, againRatio: 1, failures: 0 },
  };
}

describe("the goals of the rules", () => {
  test("are seven, each of which can be met and can be missed", () => {
    const [good, bad] = [rulesGoals(rulesCost(0.99)), rulesGoals(rulesCost(1.01))];
    expect(good).toHaveLength(7);
    expect([verdicts(good), verdicts(bad)]).toEqual([allOf(good, "met"), allOf(bad, "missed")]);
  });

  test("are not judged by a host with fewer containers", () => {
    const goals = rulesGoals(rulesCost(0.99, 50));
    expect(verdicts(goals)).toEqual(allOf(goals, "not measured"));
  });

  test("of what was not there, not for long enough, or failed are not judged", () => {
    const { nft, foreign } = rulesCost(0.99, 1_000, 20_000);
    const changes = { ...nft.changes, guardAll: undefined, addOne: undefined };
    const goals = rulesGoals({ nft: { ...nft, changes }, legacy: undefined, foreign: { ...foreign, failures: 1 } });
    expect(verdicts(goals)).toEqual(allOf(goals, "not measured"));
  });
});

/** What it costs to know who is there, every figure `share` of what it may be. */
function identityCost(share: number, most = 1_000): IdentityCost {
  const room = (known: number, attestMicros: number, liveBytes: number, eventMs: readonly number[]): RoomFindings => ({
    attestP50Micros: attestMicros,
    attestP99Micros: 1,
    attestMeanCpuMicros: 1,
    liveBytes,
    known,
    asked: 1,
    tenP50Micros: attestMicros,
    knownMs: 1,
    knownCpuMs: 1,
    eventMs,
  });
  return {
    rooms: [room(10, 50, 0, []), room(most, 60 * share, 10_000 * (most - 10) * share, [20 * share])],
    startsMs: [2_000 * share],
  };
}

describe("the goals of identity", () => {
  test("are five, each of which can be met and can be missed", () => {
    const [good, bad] = [identityGoals(identityCost(0.99)), identityGoals(identityCost(1.01))];
    expect(good).toHaveLength(5);
    expect([verdicts(good), verdicts(bad)]).toEqual([allOf(good, "met"), allOf(bad, "missed")]);
  });

  test("are not judged by fewer containers, nor by starts and events that were none", () => {
    const few = identityGoals(identityCost(0.99, 50));
    expect(verdicts(few)).toEqual(allOf(few, "not measured"));
    const { rooms } = identityCost(0.99);
    const silent = identityGoals({ rooms: rooms.map((room) => ({ ...room, eventMs: [] })), startsMs: [] });
    expect(silent.flatMap(({ name, measured }) => (measured === undefined ? [name] : []))).toEqual([
      "1,000 containers known after the start of the daemon",
      "a container's start known after Docker's word, p50",
    ]);
  });
});

/** What requests cost, every figure `share` of what it may be. */
function findings(share: number, failures = 0): Findings {
  const cell = (request: Cell["request"], contender: Cell["contender"], connections: number, cpuMicros: number, ms: number): Cell => {
    return { request, contender, connections, cpuMicros, p50Ms: ms, p99Ms: ms, perSecond: 1, requests: 1, failures, firstFailure: "" };
  };
  const both = ["cached credentials", "pass-through"] as const;
  return {
    cells: [
      cell("cached credentials", "imdsgate", 16, 0.6 * share, 1),
      cell("cached credentials", "node:http", 16, 1, 1),
      cell("pass-through", "imdsgate", 16, 0.45 * share, 1),
      cell("pass-through", "node:http", 16, 0.45 / 0.7, 1),
      cell("pass-through", "nginx", 16, 0.45 / 2, 1),
      cell("pass-through", "http-proxy", 16, 1, 1),
      ...both.flatMap((request) => [
        { ...cell(request, "imdsgate", 1, 1, 0), p50Ms: 1 + 0.3 * share, p99Ms: 1 + share },
        cell(request, "direct", 1, 1, 1),
      ]),
    ],
    memory: [
      { contender: "imdsgate", what: "", idleMib: 70 * share, afterMib: 120 * share, secondMib: 120 * 1.05 * share ** 2, peakMib: 1 },
    ],
    loaded: [],
    starts: { cold: { wallMs: 1, cpuMs: 1 }, warm: { wallMs: 300 * share, cpuMs: 1 }, warmStarts: 1 },
    neighbours: [
      {
        asked: "imdsgate",
        alone: { p50Ms: 1, p99Ms: 1 },
        beside: { p50Ms: 1, p99Ms: 1 + 5 * share },
        failures,
        greedyPerSecond: 1,
        greedyRefusedPerSecond: 1,
      },
    ],
    freshness: [],
    facts: [],
  };
}

describe("the goals of requests, memory and the start", () => {
  test("are thirteen, each of which can be met and can be missed", () => {
    const [good, bad] = [goalsOf(findings(0.99)), goalsOf(findings(1.01))];
    expect(good).toHaveLength(13);
    expect([verdicts(good), verdicts(bad)]).toEqual([allOf(good, "met"), allOf(bad, "missed")]);
  });

  test("are not judged by requests that failed", () => {
    const goals = goalsOf(findings(0.99, 1));
    expect(goals.flatMap(({ name, measured }) => (measured === undefined ? [] : [name]))).toEqual([
      "memory, idle",
      "memory, after a load",
      "memory, after a second load ÷ after the first",
      "start to the first correct answer",
    ]);
  });
});

/** What credentials cost, every figure `share` of what it may be; where nothing may be, nothing below 1 is. */
function credentialsCost(share: number, failures = 0): CredentialsCost {
  const memory = (mib: number) => ({ mib, liveMib: 1 });
  return {
    first: {
      atOnceMs: [60 * share],
      prefetchedMs: [2 * share],
      directMs: [1],
      crowd: { asked: 100, stsCalls: share > 1 ? 2 : 1, failures: 0 },
      warm: { asked: 1, stsCalls: share > 1 ? 1 : 0, upstreamCalls: share > 1 ? 2 : 1, failures },
      failures: 0,
    },
    leases: {
      leases: 10_000,
      empty: memory(1),
      held: memory(150 * share),
      afterHour: memory(150 * share),
      peakMib: 1,
      calls: 1,
      failed: 0,
      busiestSecond: 1,
      cpuMs: 1,
      coreShare: 0.01 * share,
      wallMs: 1,
    },
  };
}

describe("the goals of credentials", () => {
  test("are eight, each of which can be met and can be missed", () => {
    const [good, bad] = [credentialsGoals(credentialsCost(0.99)), credentialsGoals(credentialsCost(1.01))];
    expect(good).toHaveLength(8);
    expect([verdicts(good), verdicts(bad)]).toEqual([allOf(good, "met"), allOf(bad, "missed")]);
  });

  test("are not judged by questions that failed", () => {
    const goals = credentialsGoals(credentialsCost(0.99, 1));
    expect(goals.filter(({ measured }) => measured !== undefined)).toHaveLength(3);
  });
});
