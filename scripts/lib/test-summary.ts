import type { Outcome } from "./test-groups.ts";

/** All outcomes together. With `isStrict`, what could not run is a failure. */
export function count(outcomes: readonly Outcome[], isStrict: boolean): { readonly passed: number; readonly failed: number } {
  const sum = (number: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + number(outcome), 0);
  return { passed: sum(({ passed }) => passed), failed: sum(({ failures, notRun }) => failures.length + (isStrict ? notRun.length : 0)) };
}

/** A table with a line for each group, and below it what failed and what could not run: the end of a log is often all that is kept of it. */
export function summaryText(outcomes: readonly Outcome[], isStrict: boolean): string {
  const rows = outcomes.map(({ name, passed, failures, notRun, seconds }) => {
    const cells = [String(passed), String(failures.length), String(notRun.length), `${seconds.toFixed(1)} s`].map((cell) =>
      cell.padStart(9),
    );
    return `${name.padEnd(10)}${cells.join("")}${failures.length > 0 ? "   FAILED" : ""}`;
  });
  const notRunHeading = isStrict ? "Could not run here, which --strict counts as failed:" : "Could not run here:";
  return [
    "",
    `${"group".padEnd(10)}${["passed", "failed", "not run", "time"].map((cell) => cell.padStart(9)).join("")}`,
    ...rows,
    ...listed(
      "Failed:",
      outcomes.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`)),
    ),
    ...listed(
      notRunHeading,
      outcomes.flatMap((outcome) => outcome.notRun),
    ),
    "",
    "",
  ].join("\n");
}

function listed(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", heading, ...lines.map((line) => `  ${line}`)];
}
