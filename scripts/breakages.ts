// npm run breakages -- [PART OF A NAME ...]: takes out one security rule at a time, in copies of the checkout, and sees its own tests turn red. Exit code 1 when one stays green.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { BREAKAGES } from "../test/breakages/all-breakages.ts";
import type { Breakage } from "../test/breakages/breakage.ts";
import { copyCheckout, ROOT, runQuietly } from "./lib/test-programs.ts";

/** Copies that are worked in at once. */
const LANES = 2;
/** Titles of tests that a line names. */
const SHOWN_TITLES = 2;

interface Outcome {
  /** Titles. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Undefined when the tests ran; else why they did not. */
  readonly problem: string | undefined;
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
process.exitCode = await main(process.argv.slice(2));

async function main(parts: readonly string[]): Promise<number> {
  const chosen = BREAKAGES.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
  const startedAt = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-breakages-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const copies = Array.from({ length: LANES }, (_, n) => copyOf(join(folder, String(n))));
  const whole = await greenFirst(copies[0] ?? folder, chosen, join(folder, "report.json"));
  if (whole !== undefined) {
    process.stdout.write(`without any breakage: ${whole}\n`);
    return 1;
  }
  const waiting = [...chosen];
  const wrong: string[] = [];
  const lane = async (copy: string) => {
    for (let next = waiting.shift(); next && !stop.signal.aborted; next = waiting.shift()) {
      const verdict = await verdictOn(next, copy);
      if (!verdict.isRed) wrong.push(`${next.name}: ${verdict.text}`);
      process.stdout.write(`${verdict.isRed ? "red  " : "WRONG"} ${next.rule.padEnd(26)} ${next.name}: ${verdict.text}\n`);
    }
  };
  await Promise.all(copies.map(lane));
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  process.stdout.write(`${chosen.length - wrong.length} of ${chosen.length} breakages turned their tests red, in ${seconds} s\n`);
  return wrong.length === 0 && !stop.signal.aborted && chosen.length > 0 ? 0 : 1;
}

function copyOf(folder: string): string {
  copyCheckout(folder);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Red means something only where it was green before: every file that is named, in one run. */
async function greenFirst(copy: string, chosen: readonly Breakage[], report: string): Promise<string | undefined> {
  const { failed, passed, problem } = await runTests(copy, [...new Set(chosen.flatMap(({ tests }) => tests))], [], report);
  if (problem !== undefined) return problem;
  if (failed.length > 0) return `${failed.length} tests fail: ${listed(failed)}`;
  return passed.length === 0 ? "no test ran" : undefined;
}

async function verdictOn(breakage: Breakage, copy: string): Promise<{ readonly isRed: boolean; readonly text: string }> {
  const path = join(copy, breakage.file);
  const source = readFileSync(path, "utf8");
  const pieces = source.split(breakage.search);
  if (pieces.length !== 2) return { isRed: false, text: `what it replaces stands ${pieces.length - 1} times in ${breakage.file}` };
  writeFileSync(path, pieces.join(breakage.replace));
  try {
    const filter = breakage.titled === undefined ? [] : ["-t", breakage.titled];
    const outcome = await runTests(copy, breakage.tests, filter, join(copy, "report.json"));
    return { isRed: outcome.problem === undefined && outcome.failed.length > 0, text: textOf(outcome) };
  } finally {
    writeFileSync(path, source);
  }
}

/** What failed, or, where nothing did, what was looked at and stayed green. */
function textOf({ passed, failed, problem }: Outcome): string {
  if (problem !== undefined) return problem;
  if (failed.length > 0) return `${failed.length} of ${failed.length + passed.length} tests failed: ${listed(failed)}`;
  return passed.length === 0 ? "no test has such a title" : `none of ${passed.length} tests failed: ${listed(passed)}`;
}

function listed(titles: readonly string[]): string {
  const more = titles.length - SHOWN_TITLES;
  return `${titles.slice(0, SHOWN_TITLES).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/** Runs test files of a copy. Tests that could not be loaded show nothing, so that is a problem and no failure. */
async function runTests(copy: string, tests: readonly string[], filter: readonly string[], report: string): Promise<Outcome> {
  rmSync(report, { force: true });
  const vitest = join(copy, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--reporter=json", `--outputFile.json=${report}`, ...filter, ...tests];
  const { output } = await runQuietly(process.execPath, args, { cwd: copy, env: process.env, signal: stop.signal });
  if (!existsSync(report)) return { passed: [], failed: [], problem: `the tests did not run: ${output.slice(-400)}` };
  const { testResults }: Report = JSON.parse(readFileSync(report, "utf8"));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((one) => one.status !== "failed"),
  );
  const titled = (wanted: string) =>
    testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === wanted).map(({ title }) => title));
  const problem = broken.length > 0 ? `could not be loaded: ${broken.map(({ name }) => relative(copy, name)).join(", ")}` : undefined;
  return { passed: titled("passed"), failed: titled("failed"), problem };
}

/** What is read of vitest's report. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
  }[];
}
