import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import type { GroupResult, RunPlace } from "./test-groups.ts";
import { ROOT, runShown } from "./test-programs.ts";

/** Runs tests with progress on standard output and reads the counts from vitest's own report. A skipped test is one that this machine cannot run. */
export async function runVitest(place: RunPlace, name: string, args: readonly string[]): Promise<GroupResult> {
  const file = join(place.folder, `${name}.json`);
  rmSync(file, { force: true });
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const code = await runShown(process.execPath, [vitest, "run", ...reporters, ...args], place);
  const result = existsSync(file) ? resultOf(readFileSync(file, "utf8"), name) : { passed: 0, failed: 0, notRun: [] };
  // an error outside of all tests fails the run alone
  return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
}

interface VitestReport {
  readonly testResults: readonly ReportedFile[];
}

interface ReportedFile {
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

/** The counts of a report that vitest wrote for the group `name`. */
export function resultOf(text: string, name: string): GroupResult {
  const report: VitestReport = JSON.parse(text);
  const files = report.testResults.map((file) => countFile(file));
  return {
    passed: files.reduce((sum, { passed }) => sum + passed, 0),
    failed: files.reduce((sum, { failed }) => sum + failed, 0),
    notRun: files.filter(({ skipped }) => skipped > 0).map(({ file, skipped }) => `${name}: ${skipped} tests of ${file} were skipped`),
  };
}

function countFile({ name, status, assertionResults }: ReportedFile) {
  const withStatus = (wanted: string): number => assertionResults.filter((test) => test.status === wanted).length;
  const passed = withStatus("passed");
  const failed = withStatus("failed");
  // a file that could not be loaded or set up fails without a failed test
  const failures = status === "failed" ? Math.max(failed, 1) : failed;
  return { file: relative(ROOT, name), passed, failed: failures, skipped: assertionResults.length - passed - failed };
}
