import type { ContenderName } from "./contenders.ts";
import type { FreshnessCost } from "./freshness-cost.ts";
import { goalsOf, goalTable } from "./goals.ts";
import type { LoadedMemory } from "./idle-memory.ts";
import type { Memory } from "./memory.ts";
import type { NeighbourCost } from "./neighbour.ts";
import type { Cell } from "./rounds.ts";
import type { StartTimes } from "./start-time.ts";
import { table } from "./table.ts";

/** All that one run found out. */
export interface Findings {
  readonly cells: readonly Cell[];
  readonly memory: readonly Memory[];
  readonly loaded: readonly LoadedMemory[];
  readonly starts: StartTimes;
  readonly neighbours: readonly NeighbourCost[];
  readonly freshness: readonly FreshnessCost[];
  readonly facts: readonly string[];
}

/** The findings as Markdown: the machine, the ratios, what they are made of. */
export function renderReport(findings: Findings): string {
  const { cells, memory, loaded, starts, neighbours, freshness, facts } = findings;
  return [
    facts.map((fact) => `- ${fact}`).join("\n"),
    "### Goals",
    goalTable(goalsOf(findings)),
    "### imdsgate over the others\n\nRequests a second: more than 1 is faster. CPU and p50: less than 1 is cheaper, quicker.",
    ratioTable(cells),
    "### What the ratios are made of",
    cellTable(cells),
    "### A quiet workload beside a greedy one",
    neighbourTable(neighbours),
    "### Memory of the processes, MiB resident",
    memoryTable(memory),
    "### What an idle process and its start are made of",
    table(
      ["loaded, each with all above it", "MiB resident", "of it file pages", "CPU ms to load it"],
      loaded.map(({ what, mib, fileMib, cpuMs }) => [what, mib.toFixed(0), fileMib.toFixed(0), cpuMs.toFixed(0)]),
    ),
    "### From the start to the first correct answer",
    table(
      ["start", "ms", "CPU ms of it"],
      (
        [
          ["nothing compiled before", starts.cold],
          [`compiled before (median of ${starts.warmStarts})`, starts.warm],
        ] as const
      ).map(([name, time]) => [name, time.wallMs.toFixed(0), time.cpuMs.toFixed(0)]),
    ),
    ...(freshness.length > 0 ? ["### What the kernel's word on a container costs", freshnessTable(freshness)] : []),
    ...failureNotes(cells),
  ].join("\n\n");
}

const OTHERS: readonly ContenderName[] = ["direct", "nginx", "http-proxy", "node:http"];

function ratioTable(cells: readonly Cell[]): string {
  const others = OTHERS.filter((name) => cells.some(({ contender }) => contender === name));
  const proxies = others.filter((name) => name !== "direct");
  const header = [
    "request",
    "by",
    "connections",
    ...others.map((name) => `req/s ÷ ${name}`),
    ...proxies.map((name) => `CPU ÷ ${name}`),
    "p50 − direct, ms",
  ];
  const rows = cells
    .filter(({ contender, request }) => !others.includes(contender) && !request.startsWith("refused"))
    .map((cell) => {
      const other = (name: ContenderName) => cells.find((one) => one.contender === name && isSameTrial(one, cell));
      const ratio = (name: ContenderName, value: (cell: Cell) => number) => {
        const against = other(name);
        return against && value(against) > 0 ? (value(cell) / value(against)).toFixed(2) : "–";
      };
      return [
        cell.request,
        cell.contender,
        String(cell.connections),
        ...others.map((name) => ratio(name, ({ perSecond }) => perSecond)),
        ...proxies.map((name) => ratio(name, ({ cpuMicros }) => cpuMicros)),
        (cell.p50Ms - (other("direct")?.p50Ms ?? 0)).toFixed(2),
      ];
    });
  return table(header, rows);
}

function cellTable(cells: readonly Cell[]): string {
  return table(
    ["request", "connections", "server", "req/s", "p50 ms", "p99 ms", "CPU µs a request", "requests", "failed"],
    cells.map((cell) => [
      cell.request,
      String(cell.connections),
      cell.contender,
      cell.perSecond.toFixed(0),
      cell.p50Ms.toFixed(2),
      cell.p99Ms.toFixed(2),
      cell.cpuMicros.toFixed(0),
      String(cell.requests),
      String(cell.failures),
    ]),
  );
}

function neighbourTable(costs: readonly NeighbourCost[]): string {
  return table(
    [
      "the quiet one asks",
      "p50 alone, ms",
      "p50 beside, ms",
      "p99 alone, ms",
      "p99 beside, ms",
      "p99 more, ms",
      "the greedy one's answers/s",
      "its refused/s",
      "failed",
    ],
    costs.map(({ asked, alone, beside, greedyPerSecond, greedyRefusedPerSecond, failures }) => [
      asked,
      ...[alone.p50Ms, beside.p50Ms, alone.p99Ms, beside.p99Ms, beside.p99Ms - alone.p99Ms].map((ms) => ms.toFixed(2)),
      ...[greedyPerSecond, greedyRefusedPerSecond, failures].map((count) => count.toFixed(0)),
    ]),
  );
}

function memoryTable(memory: readonly Memory[]): string {
  return table(
    ["server", "idle", "after the run", "after a second load", "peak"],
    memory.map(({ what, idleMib, afterMib, secondMib, peakMib }) => [
      what,
      ...[idleMib, afterMib, secondMib, peakMib].map((mib) => mib.toFixed(0)),
    ]),
  );
}

function freshnessTable(costs: readonly FreshnessCost[]): string {
  return table(
    [
      "addresses of the container",
      "fib_trie, bytes",
      "start time, µs",
      "owned addresses, µs",
      "the whole check, µs",
      "with the socket, µs",
    ],
    costs.map((cost) => [
      String(cost.addresses),
      String(cost.fibTrieBytes),
      ...[cost.startTimeMicros, cost.ownedAddressesMicros, cost.checkMicros, cost.socketMicros].map((micros) => micros.toFixed(1)),
    ]),
  );
}

function failureNotes(cells: readonly Cell[]): readonly string[] {
  return cells
    .filter(({ failures }) => failures > 0)
    .map(
      (cell) =>
        `Failed at ${cell.contender}, ${cell.request}, ${cell.connections} at once, for example: \`${JSON.stringify(cell.firstFailure)}\``,
    );
}

function isSameTrial(one: Cell, other: Cell): boolean {
  return one.request === other.request && one.connections === other.connections;
}
