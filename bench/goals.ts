import type { ContenderName } from "./contenders.ts";
import type { Findings } from "./report.ts";
import type { Cell } from "./rounds.ts";
import { table } from "./table.ts";

export interface Goal {
  readonly name: string;
  /** What may be measured at most. */
  readonly atMost: number;
  /** Undefined where this run could not measure it. */
  readonly measured: number | undefined;
  readonly unit: "" | "%" | "µs" | "ms" | "s" | "KB" | "MiB";
}

const DIGITS = { "": 2, "%": 2, µs: 0, ms: 1, s: 2, KB: 1, MiB: 0 } as const;

/** What imdsgate is meant to cost, against what the same run measured. */
export function goalTable(goals: readonly Goal[]): string {
  return table(
    ["goal", "at most", "measured", ""],
    goals.map(({ name, atMost, measured, unit }) => [
      name,
      withUnit(atMost, unit),
      measured === undefined ? "–" : withUnit(Number(measured.toFixed(DIGITS[unit])), unit),
      measured === undefined ? "not measured" : measured <= atMost ? "met" : "**missed**",
    ]),
  );
}

/** The goals of a request, of memory and of the start. */
export function goalsOf({ cells, memory, starts, neighbours }: Findings): readonly Goal[] {
  const cpu = (request: Cell["request"], other: ContenderName) => {
    const [ours, theirs] = [cellOf(cells, request, "imdsgate", 16), cellOf(cells, request, other, 16)];
    return ours && theirs && theirs.cpuMicros > 0 ? ours.cpuMicros / theirs.cpuMicros : undefined;
  };
  const overDirect = (request: Cell["request"], which: "p50Ms" | "p99Ms") => {
    const [ours, direct] = [cellOf(cells, request, "imdsgate", 1), cellOf(cells, request, "direct", 1)];
    return ours && direct ? (ours[which] - direct[which]) * 1_000 : undefined;
  };
  const quiet = neighbours.find(({ asked, failures }) => asked === "imdsgate" && failures === 0);
  const mib = memory.find(({ contender }) => contender === "imdsgate");
  return [
    { name: "cached credentials, CPU ÷ node:http", atMost: 0.6, measured: cpu("cached credentials", "node:http"), unit: "" },
    { name: "pass-through, CPU ÷ node:http forwarder", atMost: 0.7, measured: cpu("pass-through", "node:http"), unit: "" },
    { name: "pass-through, CPU ÷ nginx", atMost: 2, measured: cpu("pass-through", "nginx"), unit: "" },
    { name: "pass-through, CPU ÷ http-proxy", atMost: 0.45, measured: cpu("pass-through", "http-proxy"), unit: "" },
    ...(["cached credentials", "pass-through"] as const).flatMap((request): readonly Goal[] => [
      { name: `${request}, one at a time, p50 over direct`, atMost: 300, measured: overDirect(request, "p50Ms"), unit: "µs" },
      { name: `${request}, one at a time, p99 over direct`, atMost: 1_000, measured: overDirect(request, "p99Ms"), unit: "µs" },
    ]),
    { name: "memory, idle", atMost: 70, measured: mib?.idleMib, unit: "MiB" },
    { name: "memory, after a load", atMost: 120, measured: mib?.afterMib, unit: "MiB" },
    { name: "memory, after a second load ÷ after the first", atMost: 1.05, measured: mib && mib.secondMib / mib.afterMib, unit: "" },
    { name: "start to the first correct answer", atMost: 300, measured: starts.warm.wallMs, unit: "ms" },
    {
      name: "a quiet one beside a greedy one, p99 over alone",
      atMost: 5,
      measured: quiet && quiet.beside.p99Ms - quiet.alone.p99Ms,
      unit: "ms",
    },
  ];
}

/** Figures of requests that failed tell of nothing. */
function cellOf(cells: readonly Cell[], request: Cell["request"], contender: ContenderName, connections: number): Cell | undefined {
  const isMeant = (cell: Cell) => cell.request === request && cell.contender === contender && cell.connections === connections;
  return cells.find((cell) => isMeant(cell) && cell.failures === 0);
}

function withUnit(value: number, unit: Goal["unit"]): string {
  return unit === "" ? String(value) : `${value} ${unit}`;
}
