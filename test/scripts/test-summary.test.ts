import { expect, test } from "vitest";
import type { Outcome } from "../../scripts/lib/test-groups.ts";
import { count, summaryText } from "../../scripts/lib/test-summary.ts";
import { resultOf } from "../../scripts/lib/test-vitest.ts";

const UNIT: Outcome = { name: "unit", passed: 12, failures: ["test/a.test.ts: it adds: expected 3 to be 2"], notRun: [], seconds: 3.25 };
const DOCKER: Outcome = { name: "docker", passed: 0, failures: [], notRun: ["docker: it needs root"], seconds: 0 };

test("what could not run is a failure only when the run is strict", () => {
  expect(count([UNIT, DOCKER], false)).toEqual({ passed: 12, failed: 1 });
  expect(count([UNIT, DOCKER], true)).toEqual({ passed: 12, failed: 2 });
});

test("the summary names each group, each failure with its message, and what could not run with the reason", () => {
  expect(summaryText([UNIT, DOCKER], false)).toBe(`
group        passed   failed  not run     time
unit             12        1        0    3.3 s   FAILED
docker            0        0        1    0.0 s

Failed:
  unit: test/a.test.ts: it adds: expected 3 to be 2

Could not run here:
  docker: it needs root

`);
});

test("vitest's report is counted test by test; a failure is told by its message's first line, also that of a file without a failed test; skipped tests are named", () => {
  const file = (name: string, status: string, ...tests: string[]) => ({
    name: `${import.meta.dirname}/${name}`,
    status,
    message: status === "failed" && tests.length === 0 ? "\u001B[31mCannot find package\u001B[39m\n  at line 3" : "",
    assertionResults: tests.map((test) => ({
      fullName: `it is ${test}`,
      status: test,
      failureMessages: test === "failed" ? ["Error: no\n    at x"] : [],
    })),
  });
  const testResults = [
    file("good", "passed", "passed", "passed"),
    file("bad", "failed", "passed", "failed"),
    file("unloaded", "failed"),
    file("set-up", "failed", "skipped"),
    file("part", "passed", "passed", "skipped", "todo"),
  ];
  expect(resultOf(JSON.stringify({ testResults }), "unit")).toEqual({
    passed: 4,
    failures: [
      "test/scripts/bad: it is failed: Error: no",
      "test/scripts/unloaded: Cannot find package",
      "test/scripts/set-up: a set-up failed, whose message is further up",
    ],
    notRun: ["unit: 1 tests of test/scripts/set-up were skipped", "unit: 2 tests of test/scripts/part were skipped"],
  });
});
