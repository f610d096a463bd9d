import { describe, expect, test } from "vitest";
import { differenceLine, differencesInWords, type ListedChain, ruleDifferences } from "../../src/rules/rule-differences.ts";

const chain = (name: string, ...rules: string[]): ListedChain => ({ name, part: "closed", rules });
const lines = (wanted: readonly ListedChain[], standing: readonly ListedChain[]) => ruleDifferences(wanted, standing).map(differenceLine);

describe("what differs", () => {
  test("nothing, where the same chains hold the same rules in the same order", () => {
    expect(lines([chain("a", "1", "2"), chain("b")], [chain("b"), chain("a", "1", "2")])).toEqual([]);
  });

  test("each rule that is missing, and each that is not ours", () => {
    expect(lines([chain("a", "1", "2", "2"), chain("b", "3")], [chain("a", "0", "2")])).toEqual([
      "- missing    a: 1",
      "- missing    a: 2",
      "+ foreign    a: 0",
      "- missing    b: 3",
    ]);
  });

  test("a rule that stands twice, and a chain that nobody wants, empty or not", () => {
    expect(lines([chain("a", "1")], [chain("a", "1", "1"), chain("b", "2"), chain("c")])).toEqual([
      "+ foreign    a: 1",
      "+ foreign    b: 2",
      "+ foreign    c: (an empty chain)",
    ]);
  });

  test("the order, where it is all that differs", () => {
    expect(lines([chain("a", "1", "2", "3")], [chain("a", "2", "1", "3")])).toEqual(["~ misplaced  a: 1", "~ misplaced  a: 2"]);
  });

  test("it carries the part that the chain serves", () => {
    expect(ruleDifferences([{ name: "a", part: "redirect", rules: ["1"] }], []).map(({ part }) => part)).toEqual(["redirect"]);
  });
});

test("a sentence names three chains, one rule by its text and more by their number", () => {
  const wanted = [chain("a", "1", "2"), chain("b", "3"), chain("c", "4"), chain("d", "5"), chain("e", "6")];
  expect(differencesInWords(ruleDifferences(wanted, []))).toBe("missing in a: 2 rules; missing in b: 3; missing in c: 4; and 2 more");
  expect(differencesInWords(ruleDifferences(wanted.slice(1, 2), [chain("b", "0")]))).toBe("missing in b: 3; foreign in b: 0");
});
