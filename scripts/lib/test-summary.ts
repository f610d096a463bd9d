import type { Outcome } from "./test-groups.ts";

/** All outcomes together. With `isStrict`, what could not run is a failure. */
export function count(outcomes: readonly Outcome[], isStrict: boolean): { readonly passed: number; readonly failed: number } {
  const sum = (number: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + number(outcome), 0);
  return { passed: sum(({ passed }) => passed), failed: sum(({ failed, notRun }) => failed + (isStrict ? notRun.length : 0)) };
}

/** A table with a line for each group, and below it what could not run. */
export function summaryText(outcomes: readonly Outcome[], isStrict: boolean): string {
  const rows = outcomes.map(({ name, passed, failed, notRun, seconds }) => {
    const cells = [String(passed), String(failed), String(notRun.length), `${seconds.toFixed(1)} s`].map((cell) => cell.padStart(9));
    return `${name.padEnd(10)}${cells.join("")}${failed > 0 ? "   FAILED" : ""}`;
  });
  const notRun = outcomes.flatMap((outcome) => outcome.notRun);
  const closing = isStrict ? "Could not run here, which --strict counts as failed:" : "Could not run here:";
  return [
    "",
    `${"group".padEnd(10)}${["passed", "failed", "not run", "time"].map((cell) => cell.padStart(9)).join("")}`,
    ...rows,
    ...(notRun.length === 0 ? [] : ["", closing, ...notRun.map((line) => `  ${line}`)]),
    "",
    "",
  ].join("\n");
}
