import { describe, expect, test } from "vitest";
import { classify } from "../../src/gateway/classify.ts";
import { parseDeniedPath } from "../../src/policy/denied-path.ts";
import { CASES, type ConformanceCase, FIXTURES, parseCases, requestLine } from "./conformance-cases.ts";
import { caseFaults } from "./expectations.ts";
import { runCase } from "./harness.ts";

describe("over real sockets", () => {
  test.for(CASES)("$id: $title", async (conformanceCase) => {
    const observed = await runCase(conformanceCase);
    expect(observed.flatMap((one) => caseFaults(one, conformanceCase))).toEqual([]);
  });
});

describe("the class of the raw target", () => {
  const deniedPathsOf = ({ context }: ConformanceCase) =>
    (context.policy?.deny ?? []).map((prefix) => {
      const parsed = parseDeniedPath(prefix);
      if ("problem" in parsed) throw new Error(parsed.problem);
      return parsed.value;
    });
  test.for(CASES.filter((one) => one.expect.class !== undefined))("$id is $expect.class", (conformanceCase) => {
    const { target } = requestLine(conformanceCase.request);
    expect(classify(target, deniedPathsOf(conformanceCase)).class).toBe(conformanceCase.expect.class);
  });
});

describe("the cases themselves", () => {
  test("are a hundred with different ids", () => expect(new Set(CASES.map(({ id }) => id)).size).toBe(100));

  test.for(["request", "context", "expect"] as const)("are refused when one has an unknown field in its %s", (part) => {
    const [first] = CASES;
    const data = { formatVersion: 1, fixtures: FIXTURES, cases: [{ ...first, [part]: { ...first?.[part], surprise: 1 } }] };
    expect(() => parseCases(data)).toThrow(/^cases\.json breaks its schema/);
  });
});
