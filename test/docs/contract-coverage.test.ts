import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import cases from "../contract/cases.json" with { type: "json" };
import wire from "../contract/wire.json" with { type: "json" };
import { pageAt, ROOT } from "./pages.ts";

/** Every rule of the contract, with the number of its section. */
const RULES = rulesOf(pageAt("docs/contract.md").text);
/** The sections that are about what goes over the wire: each rule of theirs has a test that names it. */
const WIRE_SECTIONS = [2, 3, 4, 5, 6, 7, 8, 9];
/** Rules of these sections that no test can hold here, each with the reason. None today. */
const NOT_TESTABLE: Readonly<Record<string, string>> = {};

const CITATIONS: ReadonlyMap<string, readonly string[]> = allCitations();

describe("the rules of docs/contract.md and the tests that name them", () => {
  const wanted = [...RULES].filter(([, section]) => WIRE_SECTIONS.includes(section)).map(([rule]) => rule);

  test("are found", () => {
    expect(wanted.length).toBeGreaterThan(60);
    expect([...CITATIONS.values()].flat().length).toBeGreaterThan(300);
  });

  test.for(wanted.filter((rule) => !(rule in NOT_TESTABLE)))("%s is named by a test", (rule) => {
    expect(CITATIONS.get(rule) ?? []).not.toEqual([]);
  });

  test("are all that tests name", () => {
    const strangers = [...CITATIONS].filter(([rule]) => !RULES.has(rule)).map(([rule, places]) => `${rule}: ${places.join(", ")}`);
    expect(strangers).toEqual([]);
  });

  test("are not excused without need", () => {
    const excused = Object.keys(NOT_TESTABLE);
    expect(excused.filter((rule) => !wanted.includes(rule) || CITATIONS.has(rule))).toEqual([]);
  });

  test("are not named by a test that is switched off, or that switches all others off", () => {
    const switched = testFiles().filter(({ source }) => /\b(?:test|describe|it)\.(?:skip|todo|only|fails)\b/.test(source));
    expect(switched.map(({ path }) => path)).toEqual([]);
  });
});

describe("a rule is named", () => {
  test("in a title, alone, in a list or in a range", () => {
    expect(citationsIn('test("a title (T7)", () => {});\ntest.for(rows)(`$name (R1, R2 and C8.4)`, () => {});')).toEqual([
      "T7",
      "R1",
      "R2",
      "C8",
    ]);
    expect(citationsIn('describe("four of them (F1 to F4)", () => {});')).toEqual(["F1", "F2", "F3", "F4"]);
  });

  test("in the data of a case, and not by accident", () => {
    expect(citationsIn('const row = { rule: "C4, E4", name: "S3 and (see T9) X1" }; // (R3)')).toEqual(["C4", "E4"]);
  });

  test("in a page with its section", () => {
    expect([...rulesOf("## 2 Tokens\n\n- **T1** a\n\n## 11 STS\n\n| `x` | **X1** y |\n- **S1** b\n")]).toEqual([
      ["T1", 2],
      ["X1", 11],
      ["S1", 11],
    ]);
  });
});

/** Every rule that a test names, with the places where. */
function allCitations(): ReadonlyMap<string, readonly string[]> {
  const inFiles = testFiles().flatMap(({ path, source }) => citationsIn(source).map((rule) => ({ rule, place: path })));
  const inCases = cases.cases.map(({ rule, id }) => ({ rule, place: `case ${id}` }));
  const inHeads = wire.heads.flatMap(({ name }) => {
    const [rule] = /^[A-Z]\d{1,2}(?= )/.exec(name) ?? [];
    return rule === undefined ? [] : [{ rule, place: `head ${name}` }];
  });
  const byRule = Map.groupBy([...inFiles, ...inCases, ...inHeads], ({ rule }) => rule);
  return new Map([...byRule].map(([rule, found]) => [rule, found.map(({ place }) => place)]));
}

/** All files of tests but those that are about the contract's page itself. */
function testFiles(): readonly { readonly path: string; readonly source: string }[] {
  const paths = globSync("test/**/*.test.ts", { cwd: ROOT }).filter((path) => !/^test\/docs\/contract/.test(path));
  return paths.sort().map((path) => ({ path, source: readFileSync(join(ROOT, path), "utf8") }));
}

/** The rules in brackets in a text between quotes, and those that a case's data names. */
function citationsIn(source: string): readonly string[] {
  const texts = [...source.matchAll(/"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\\n])*`/g)];
  return texts.flatMap(({ 0: text, index }) => {
    const isCaseData = /\brule: $/.test(source.slice(0, index));
    const lists = isCaseData ? [text.slice(1, -1)] : [...text.matchAll(/\(([^()]*)\)/g)].map(([, list = ""]) => list);
    return lists.filter((list) => /^(?:[A-Z]\d{1,2}(?:\.\d)?(?:, | and | to |$))+$/.test(list)).flatMap(rulesIn);
  });
}

/** The rules of a list, those inside of a range included. */
function rulesIn(list: string): readonly string[] {
  return list.split(/, | and /).flatMap((part) => {
    const [, letter = "", first = "", last = first] = /^([A-Z])(\d+)(?:\.\d)?(?: to [A-Z](\d+))?$/.exec(part) ?? [];
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, k) => `${letter}${Number(first) + k}`);
  });
}

function rulesOf(page: string): ReadonlyMap<string, number> {
  const sections = page.split(/^## (?=\d)/m).slice(1);
  return new Map(
    sections.flatMap((section) =>
      [...section.matchAll(/\*\*([A-Z]\d{1,2})\*\*/g)].map(([, rule = ""]) => [rule, Number.parseInt(section, 10)] as const),
    ),
  );
}
