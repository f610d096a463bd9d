import { countFrom, quantileOf } from "./durations.ts";
import type { ChurnReport } from "./run-churn.ts";

const SHOWN = 10;
const HELD_MS = 100;
/** How many of a hundred requests of containers older than a second are served. */
const SERVED_PERCENT = 99;

/** The report as a table, with the first of everything that must not be. */
export function reportText({ seed, seconds, containers, acts, reuses, firstAnswers, verdict }: ChurnReport): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ["seed", seed],
    ["wall time", `${seconds} s`],
    ["containers", containers],
    ["answers checked", verdict.answers],
    ["over a connection opened before", verdict.early],
    ["wrong role", verdict.wrong.length],
    ["host credentials", verdict.hostCredentials.length],
    ["refusals not allowed", verdict.unexcused.length],
    ["addresses reused within 1 s", reuses],
    ["served, older than 1 s", shareText(verdict.old)],
    ["served, and no fault under way", shareText(verdict.calm)],
    ["first answer p50, p99, most", quantilesText(firstAnswers)],
    ["served in p50, p99, most", quantilesText(verdict.took)],
    [`served after ${HELD_MS} ms and more`, countFrom(HELD_MS, verdict.took)],
    ...inOrder(verdict.refusals).map(([kind, count]) => [`refused: ${kind}`, count] as const),
    ...inOrder(acts).map(([act, count]) => [`act: ${act}`, count] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const bad = [...verdict.hostCredentials, ...verdict.wrong, ...verdict.unexcused].slice(0, SHOWN);
  return `${[...table, ...bad].join("\n")}\n`;
}

/** Whether nobody had what is another's, nobody was refused without a reason, and nearly all were served. */
export function isGood({ verdict }: ChurnReport): boolean {
  const { wrong, hostCredentials, unexcused, old, calm } = verdict;
  const isServed = [old, calm].every(({ asked, served }) => asked > 0 && served * 100 >= asked * SERVED_PERCENT);
  return wrong.length + hostCredentials.length + unexcused.length === 0 && isServed;
}

function inOrder(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([one], [other]) => one.localeCompare(other));
}

function shareText({ asked, served }: { readonly asked: number; readonly served: number }): string {
  return `${((100 * served) / Math.max(1, asked)).toFixed(2)} % of ${asked}`;
}

function quantilesText(durations: ChurnReport["firstAnswers"]): string {
  return [0.5, 0.99, 1].map((share) => `${quantileOf(durations, share)} ms`).join(", ");
}
