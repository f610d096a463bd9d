import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classify } from "../../src/gateway/classify.ts";
import cases from "../contract/cases.json" with { type: "json" };
import { pageAt, ROOT } from "./pages.ts";

const { text } = pageAt("docs/contract.md");
const CLAUSES = [...text.matchAll(/\*\*([A-Z]\d{1,2})\*\*/g)].map(([, clause = ""]) => clause);
const CLAUSE = /\b(?:[ABCFHLMNPRSTVX]\d{1,2}|E4)\b/g;

describe("docs/contract.md", () => {
  test("has each clause once, and no gaps", () => {
    const numbers = Map.groupBy(CLAUSES, (clause) => clause.slice(0, 1));
    for (const [letter, clauses] of numbers) {
      if (letter !== "E") expect(clauses).toEqual(clauses.map((_, index) => `${letter}${index + 1}`));
    }
    expect(CLAUSES.length).toBeGreaterThan(80);
  });

  test("has every clause that code and tests cite", () => {
    const files = globSync("{src,test,scripts,bench}/**/*.ts", { cwd: ROOT }).sort();
    const strangers = files.flatMap((file) =>
      citationsIn(readFileSync(join(ROOT, file), "utf8"))
        .filter((clause) => !CLAUSES.includes(clause))
        .map((clause) => `${file}: ${clause}`),
    );
    expect(strangers).toEqual([]);
    expect(cases.cases.map(({ rule }) => rule).filter((rule) => !CLAUSES.includes(rule))).toEqual([]);
  });

  test("has every section that code cites", () => {
    const files = globSync("{src,test}/**/*.ts", { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), "utf8"));
    const sections = files.flatMap((source) =>
      [...source.matchAll(/docs\/contract\.md`?, (?:section )?(\d+)/g)].map(([, number = ""]) => number),
    );
    expect(sections.length).toBeGreaterThan(0);
    for (const section of sections) expect(text).toContain(`\n## ${section} `);
  });

  const rows = [...text.matchAll(/^\| (`.*`) \| ([A-Z_]+) \|$/gm)].flatMap(([, targets = "", routeClass = ""]) =>
    [...targets.matchAll(/`([^`]+)`/g)].map(([, target = ""]) => ({ target: target.replace("…", "/latest/meta-data"), routeClass })),
  );

  test("shows every class", () => {
    const shown = ["AMBIGUOUS", "BAD", "CRED_DOC", "CRED_LIST", "DENY", "GUARD", "IAM_INFO", "IAM_ROOT", "META_LIST", "PASS", "TOKEN"];
    expect([...new Set(rows.map(({ routeClass }) => routeClass))].sort()).toEqual(shown);
  });

  test.for(rows)("is right about $target: $routeClass", ({ target, routeClass }) => expect(classify(target, []).class).toBe(routeClass));
});

test("a citation is found in a comment that names the contract, and in brackets", () => {
  const source = '/** As it is (docs/contract.md, T7 and R4). */\n// cut off (N3)\nconst S3 = "S3 (Z9)"; // S3 is a store\n';
  expect(citationsIn(source)).toEqual(["T7", "R4", "N3"]);
});

/** Clauses in comments: those after the contract's name, and those that stand in brackets or open a comment. */
function citationsIn(source: string): readonly string[] {
  const comments = [...source.matchAll(/\/\*\*[\s\S]*?\*\/|(?<=^|[\s;{,])\/\/ .*$/gm)].map(([comment]) => comment);
  const cited = comments.flatMap((comment) => [
    ...[...comment.matchAll(/contract\.md`?,([^).;:]*)/g)].map(([, list = ""]) => list),
    ...[...comment.matchAll(/\(((?:[A-Z]\d{1,2}(?:, | and | to |–)?)+)\)/g)].map(([, list = ""]) => list),
    ...[...comment.matchAll(/^\/(?:\*\*|\/) ([A-Z]\d{1,2})[:,]/g)].map(([, list = ""]) => list),
  ]);
  return cited.flatMap((list) => [...list.matchAll(CLAUSE)].map(([clause]) => clause));
}
