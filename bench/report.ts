import { readFileSync } from "node:fs";
import os from "node:os";
import { type ContenderName, nginxVersion } from "./contenders.ts";
import type { FreshnessCost } from "./freshness-cost.ts";
import type { Cell } from "./rounds.ts";

/** All that one run found out. */
export interface Findings {
  readonly cells: readonly Cell[];
  readonly memory: readonly {
    readonly contender: ContenderName;
    readonly idleMib: number;
    readonly afterMib: number;
    readonly peakMib: number;
  }[];
  readonly freshness: readonly FreshnessCost[];
  readonly facts: readonly string[];
}

/** The machine and the versions, with the load that was on it before the run. */
export function machineFacts(now: Date): readonly string[] {
  const cpus = os.cpus();
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../node_modules/http-proxy-3/package.json", import.meta.url), "utf8"),
  );
  const load = os.loadavg().map((average) => average.toFixed(2));
  return [
    `${now.toISOString().slice(0, 10)}; Linux ${os.release()}, ${os.arch()}; ${cpus.length} cores (${cpus[0]?.model.trim() ?? "unknown"})`,
    `Node ${process.versions.node}; nginx ${nginxVersion() ?? "not on this machine"}; http-proxy-3 ${version}`,
    `load averages before the run: ${load.join(", ")} (1, 5 and 15 minutes)`,
  ];
}

/** The findings as Markdown: the machine, the ratios, what they are made of. */
export function renderReport({ cells, memory, freshness, facts }: Findings): string {
  return [
    facts.map((fact) => `- ${fact}`).join("\n"),
    "### imdsgate over the others\n\nRequests a second: more than 1 is faster. CPU and p50: less than 1 is cheaper, quicker.",
    ratioTable(cells),
    "### What the ratios are made of",
    cellTable(cells),
    "### Memory of the processes, MiB resident",
    table(
      ["server", "idle", "after the run", "peak"],
      memory.map(({ contender, idleMib, afterMib, peakMib }) => [contender, ...[idleMib, afterMib, peakMib].map((mib) => mib.toFixed(0))]),
    ),
    ...(freshness.length > 0 ? ["### What the kernel's word on a container costs", freshnessTable(freshness)] : []),
    ...failureNotes(cells),
  ].join("\n\n");
}

const OTHERS: readonly ContenderName[] = ["direct", "nginx", "http-proxy"];

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
    .filter(({ contender }) => !others.includes(contender))
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

function freshnessTable(costs: readonly FreshnessCost[]): string {
  return table(
    ["addresses of the container", "fib_trie, bytes", "start time, µs", "owned addresses, µs", "the whole check, µs"],
    costs.map((cost) => [
      String(cost.addresses),
      String(cost.fibTrieBytes),
      ...[cost.startTimeMicros, cost.ownedAddressesMicros, cost.checkMicros].map((micros) => micros.toFixed(1)),
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

/** A Markdown table; everything but the first column that holds words is aligned to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = header.map((_, column) => rows.every((row) => /^[-–\d.]+$/.test(row[column] ?? "")));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(header), line(isNumber.map((right) => (right ? "--:" : "---"))), ...rows.map(line)].join("\n");
}
