import { CROWD, type CredentialsCost, type FirstCredentials, STS_MS } from "./credentials.ts";
import { type Goal, goalTable } from "./goals.ts";
import { median } from "./median.ts";
import { table } from "./table.ts";

/** As many leases as the goals are for. */
const GOAL_LEASES = 10_000;

/** What credentials cost, as Markdown: the machine, the goals, what they are made of. */
export function renderCredentials({ first, leases }: CredentialsCost, facts: readonly string[]): string {
  return [
    facts.map((fact) => `- ${fact}`).join("\n"),
    "### Goals of credentials",
    goalTable(credentialsGoals({ first, leases })),
    ...(first ? [`### First credentials of a new container, STS at ${STS_MS} ms`, firstTable(first), countTable(first)] : []),
    "### Many leases in one process, and an hour of their renewals",
    leasesTable(leases),
  ].join("\n\n");
}

/** What credentials may cost, and what they did. Nothing counts of questions that failed. */
export function credentialsGoals({ first: asked, leases }: CredentialsCost): readonly Goal[] {
  const first = asked && asked.failures + asked.crowd.failures + asked.warm.failures === 0 ? asked : undefined;
  const many = leases.leases === GOAL_LEASES ? leases : undefined;
  return [
    { name: "first credentials, asked at once, p50", atMost: 60, measured: first && median(first.atOnceMs), unit: "ms" },
    { name: "first credentials, prefetched, p50", atMost: 2, measured: first && median(first.prefetchedMs), unit: "ms" },
    { name: `${CROWD} first questions at once, calls to STS`, atMost: 1, measured: first?.crowd.stsCalls, unit: "" },
    { name: "warm answers, calls to STS", atMost: 0, measured: first?.warm.stsCalls, unit: "" },
    { name: "warm answers of a minute and one token, calls upstream", atMost: 1, measured: first?.warm.upstreamCalls, unit: "" },
    { name: "10,000 leases, memory", atMost: 150, measured: many?.held.mib, unit: "MiB" },
    { name: "10,000 leases, memory after an hour of renewals", atMost: 150, measured: many?.afterHour.mib, unit: "MiB" },
    { name: "10,000 leases, renewal work of a core", atMost: 1, measured: many && many.coreShare * 100, unit: "%" },
  ];
}

function firstTable({ atOnceMs, prefetchedMs, directMs }: FirstCredentials): string {
  const rows = [
    ["the moment it starts", atOnceMs],
    ["half a second later", prefetchedMs],
    ["the metadata service, directly", directMs],
  ] as const;
  return table(
    ["asked", "containers", "p50 ms", "p50 ÷ direct", `p50 ÷ STS's ${STS_MS} ms`, "fastest ms", "slowest ms"],
    rows.map(([asked, all]) => [
      asked,
      String(all.length),
      median(all).toFixed(2),
      (median(all) / median(directMs)).toFixed(2),
      (median(all) / STS_MS).toFixed(2),
      Math.min(...all).toFixed(2),
      Math.max(...all).toFixed(2),
    ]),
  );
}

function countTable({ crowd, warm, failures, atOnceMs, prefetchedMs }: FirstCredentials): string {
  const first = atOnceMs.length + prefetchedMs.length;
  return table(
    ["questions", "asked", "calls to STS", "calls upstream", "failed"],
    [
      ["first ones, one of a container", String(first), "–", "–", String(failures)],
      ["first ones of one container, all at once", String(crowd.asked), String(crowd.stsCalls), "–", String(crowd.failures)],
      ["later ones, one after the other", String(warm.asked), String(warm.stsCalls), String(warm.upstreamCalls), String(warm.failures)],
    ],
  );
}

function leasesTable(cost: CredentialsCost["leases"]): string {
  const { leases, empty, held, afterHour, peakMib, cpuMs, coreShare, calls, failed, busiestSecond, wallMs } = cost;
  const liveKib = ((held.liveMib - empty.liveMib) * 1_024) / Math.max(1, leases - 1);
  return table(
    ["", "measured"],
    [
      ["leases", String(leases)],
      ...(
        [
          ["with one lease", empty],
          ["with all", held],
          ["after the hour", afterHour],
        ] as const
      ).flatMap(([when, { mib, liveMib }]) => [
        [`MiB resident ${when}`, mib.toFixed(0)],
        [`MiB of live objects ${when}`, liveMib.toFixed(1)],
      ]),
      ["KiB of live objects for each lease", liveKib.toFixed(1)],
      ["MiB resident at most", peakMib.toFixed(0)],
      ["calls to STS in the hour", String(calls)],
      ["failed", String(failed)],
      ["calls in the busiest second", String(busiestSecond)],
      ["CPU ms of the hour", cpuMs.toFixed(0)],
      ["CPU µs a call", ((cpuMs * 1_000) / Math.max(1, calls)).toFixed(0)],
      ["% of a core", (coreShare * 100).toFixed(2)],
      ["s that the hour took", (wallMs / 1_000).toFixed(0)],
    ],
  );
}
