import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { GroupResult, RunPlace } from "./test-groups.ts";
import { ROOT, runShown } from "./test-programs.ts";

/** Runs tests with progress on standard output and reads the counts from vitest's own report. A skipped test is one that this machine cannot run. */
export async function runVitest(place: RunPlace, name: string, args: readonly string[]): Promise<GroupResult> {
  const file = join(place.folder, `${name}.json`);
  rmSync(file, { force: true });
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const code = await runShown(process.execPath, [vitest, "run", ...reporters, ...args], place);
  const result = existsSync(file) ? resultOf(readFileSync(file, "utf8"), name) : { passed: 0, failures: [], notRun: [] };
  // an error outside of all tests fails the run alone
  return code !== 0 && result.failures.length === 0 ? { ...result, failures: [`vitest ended with ${code}, outside of all tests`] } : result;
}

interface VitestReport {
  readonly testResults: readonly ReportedFile[];
}

interface ReportedFile {
  readonly name: string;
  readonly status: string;
  /** Why the file as a whole failed; empty when it did not. */
  readonly message: string;
  readonly assertionResults: readonly ReportedTest[];
}

interface ReportedTest {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

/** What a report that vitest wrote says of the group `name`. */
export function resultOf(text: string, name: string): GroupResult {
  const report: VitestReport = JSON.parse(text);
  const files = report.testResults.map((file) => readResult(file));
  return {
    passed: files.reduce((sum, { passed }) => sum + passed, 0),
    failures: files.flatMap(({ failures }) => failures),
    notRun: files.filter(({ skipped }) => skipped > 0).map(({ file, skipped }) => `${name}: ${skipped} tests of ${file} were skipped`),
  };
}

function readResult({ name, status, message, assertionResults }: ReportedFile) {
  const file = relative(ROOT, name);
  const passed = assertionResults.filter((test) => test.status === "passed").length;
  const failed = assertionResults.filter((test) => test.status === "failed");
  const failures = failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages[0])}`);
  // a file that could not be loaded or set up fails without a failed test
  if (status === "failed" && failures.length === 0) failures.push(`${file}: ${firstLine(message)}`);
  return { file, passed, failures, skipped: assertionResults.length - passed - failed.length };
}

function firstLine(message = ""): string {
  // Of a group's set-up vitest's report has no message.
  return stripVTControlCharacters(message).trim().split("\n", 1)[0] || "a set-up failed, whose message is further up";
}
