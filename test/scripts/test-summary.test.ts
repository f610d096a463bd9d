import { expect, test } from "vitest";
import type { Outcome } from "../../scripts/lib/test-groups.ts";
import { count, summaryText } from "../../scripts/lib/test-summary.ts";
import { resultOf } from "../../scripts/lib/test-vitest.ts";

const UNIT: Outcome = { name: "unit", passed: 12, failed: 1, notRun: [], seconds: 3.25 };
const DOCKER: Outcome = { name: "docker", passed: 0, failed: 0, notRun: ["docker: it needs root"], seconds: 0 };

test("what could not run is a failure only when the run is strict", () => {
  expect(count([UNIT, DOCKER], false)).toEqual({ passed: 12, failed: 1 });
  expect(count([UNIT, DOCKER], true)).toEqual({ passed: 12, failed: 2 });
});

test("the summary names each group, and what could not run with the reason", () => {
  expect(summaryText([UNIT, DOCKER], false)).toBe(`
group        passed   failed  not run     time
unit             12        1        0    3.3 s   FAILED
docker            0        0        1    0.0 s

Could not run here:
  docker: it needs root

`);
});

test("vitest's report is counted test by test; a file that fails without a failed test is one failure; skipped tests are named", () => {
  const file = (name: string, status: string, ...tests: string[]) => ({
    name: `${import.meta.dirname}/${name}`,
    status,
    assertionResults: tests.map((test) => ({ status: test })),
  });
  const testResults = [
    file("good", "passed", "passed", "passed"),
    file("bad", "failed", "passed", "failed"),
    file("unloaded", "failed"),
    file("part", "passed", "passed", "skipped", "todo"),
  ];
  expect(resultOf(JSON.stringify({ testResults }), "unit")).toEqual({
    passed: 4,
    failed: 2,
    notRun: ["unit: 2 tests of test/scripts/part were skipped"],
  });
});
