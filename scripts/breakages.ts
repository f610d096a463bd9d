// npm run breakages -- [PART OF A NAME ...]: takes out one security rule at a time, in copies of the checkout, and sees its own tests turn red. Exit code 1 when one stays green.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { BREAKAGES } from "../test/breakages/all-breakages.ts";
import type { Breakage } from "../test/breakages/breakage.ts";
import { ROOT, runQuietly } from "./lib/test-programs.ts";

/** Copies that are worked in at once. */
const LANES = 2;
const NOT_COPIED = ["node_modules", ".git", ".tools"];

interface Outcome {
  readonly passed: number;
  readonly failed: number;
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
  cpSync(ROOT, folder, { recursive: true, filter: (source) => !NOT_COPIED.includes(relative(ROOT, source).split("/")[0] ?? "") });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Red means something only where it was green before: every file that is named, in one run. */
async function greenFirst(copy: string, chosen: readonly Breakage[], report: string): Promise<string | undefined> {
  const { failed, passed, problem } = await runTests(copy, [...new Set(chosen.flatMap(({ tests }) => tests))], [], report);
  if (problem !== undefined) return problem;
  return failed > 0 || passed === 0 ? `${failed} tests fail, ${passed} pass` : undefined;
}

async function verdictOn(breakage: Breakage, copy: string): Promise<{ readonly isRed: boolean; readonly text: string }> {
  const path = join(copy, breakage.file);
  const source = readFileSync(path, "utf8");
  const pieces = source.split(breakage.search);
  if (pieces.length !== 2) return { isRed: false, text: `what it replaces stands ${pieces.length - 1} times in ${breakage.file}` };
  writeFileSync(path, pieces.join(breakage.replace));
  try {
    const filter = breakage.titled === undefined ? [] : ["-t", breakage.titled];
    const { failed, passed, problem } = await runTests(copy, breakage.tests, filter, join(copy, "report.json"));
    return { isRed: problem === undefined && failed > 0, text: problem ?? `${failed} of ${failed + passed} tests failed` };
  } finally {
    writeFileSync(path, source);
  }
}

/** Runs test files of a copy. Tests that could not be loaded show nothing, so that is a problem and no failure. */
async function runTests(copy: string, tests: readonly string[], filter: readonly string[], report: string): Promise<Outcome> {
  rmSync(report, { force: true });
  const vitest = join(copy, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--reporter=json", `--outputFile.json=${report}`, ...filter, ...tests];
  const { output } = await runQuietly(process.execPath, args, { cwd: copy, env: process.env, signal: stop.signal });
  if (!existsSync(report)) return { passed: 0, failed: 0, problem: `the tests did not run: ${output.slice(-400)}` };
  const { testResults }: { testResults: readonly { name: string; status: string; assertionResults: readonly { status: string }[] }[] } =
    JSON.parse(readFileSync(report, "utf8"));
  const results = testResults.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((one) => one.status !== "failed"),
  );
  const count = (wanted: string) => results.filter((status) => status === wanted).length;
  const problem = broken.length > 0 ? `could not be loaded: ${broken.map(({ name }) => relative(copy, name)).join(", ")}` : undefined;
  return { passed: count("passed"), failed: count("failed"), problem };
}
