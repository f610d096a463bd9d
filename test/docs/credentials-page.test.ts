import { describe, expect, test } from "vitest";
import { credentialsPage } from "../../scripts/lib/credentials-page.ts";
import { FAULTS } from "../credentials/faults/fault-rows.ts";
import { WITHHELD } from "../credentials/faults/withheld-rows.ts";
import { pageAt } from "./pages.ts";

const { text } = pageAt("docs/credentials.md");
const CONTRACT = pageAt("docs/contract.md").text;
const ROWS = [...FAULTS, ...WITHHELD];

describe("docs/credentials.md", () => {
  test("is what npm run docs writes", () => expect(text).toBe(credentialsPage()));

  test("has a row for each test of a fault, and no other", () => {
    const tables = text.slice(text.indexOf("## When STS fails"));
    const titles = [...tables.matchAll(/^\| (?!---)(.*?) \| /gm)].map(([, title]) => title);
    expect(titles.filter((title) => title !== "who asks" && !title?.startsWith("STS answers"))).toEqual(ROWS.map(({ title }) => title));
  });

  test("tells every row from the others", () => expect(new Set(ROWS.map(({ title }) => title)).size).toBe(ROWS.length));

  test("has every outcome of a call to STS", () => {
    const kinds = ["ok", "denied", "invalid", "throttled", "unavailable", "base-refused", "answer-bad"];
    expect(new Set(FAULTS.flatMap(({ outcomes }) => outcomes))).toEqual(new Set(kinds));
  });
});

describe("the clauses of the rows", () => {
  const cited = new Set(ROWS.flatMap(({ rule }) => rule.split(", ")));

  test("are clauses of the contract", () => {
    expect([...cited].filter((clause) => !CONTRACT.includes(`**${clause}**`))).toEqual([]);
  });

  test("are all that are about what STS says", () => {
    const wanted = ["S1", "S7", "S8", "S9", "S10", "S11", "X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8"];
    expect(wanted.filter((clause) => !cited.has(clause))).toEqual([]);
  });
});
