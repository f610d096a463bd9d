import type { ChurnReport } from "./run-churn.ts";

const SHOWN = 10;

/** The report as a table, with the first of everything that must not be. */
export function reportText({ seed, seconds, containers, acts, reuses, firstAnswersMs, verdict }: ChurnReport): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ["seed", seed],
    ["wall time", `${seconds} s`],
    ["containers", containers],
    ["answers checked", verdict.answers],
    ["wrong role", verdict.wrong.length],
    ["host credentials", verdict.hostCredentials.length],
    ["refusals not allowed", verdict.unexcused.length],
    ["addresses reused within 1 s", reuses],
    ["served, older than 1 s", shareText(verdict.old)],
    ["served, and no fault under way", shareText(verdict.calm)],
    ["first answer p50, p99", `${quantile(firstAnswersMs, 0.5)} ms, ${quantile(firstAnswersMs, 0.99)} ms`],
    ...inOrder(verdict.refusals).map(([kind, count]) => [`refused: ${kind}`, count] as const),
    ...inOrder(acts).map(([act, count]) => [`act: ${act}`, count] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const bad = [...verdict.hostCredentials, ...verdict.wrong, ...verdict.unexcused].slice(0, SHOWN);
  return `${[...table, ...bad].join("\n")}\n`;
}

/** Whether nobody had what is another's, and nobody was refused without a reason. */
export function isGood({ verdict }: ChurnReport): boolean {
  return verdict.wrong.length + verdict.hostCredentials.length + verdict.unexcused.length === 0 && verdict.answers > 0;
}

function inOrder(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([one], [other]) => one.localeCompare(other));
}

function shareText({ asked, served }: { readonly asked: number; readonly served: number }): string {
  return `${((100 * served) / Math.max(1, asked)).toFixed(2)} % of ${asked}`;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
