import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pageAt, ROOT } from "./pages.ts";

const { text } = pageAt("docs/security.md");

test("docs/security.md counts the ways that the guard's test tries, and those that remain with ebtables", () => {
  const source = readFileSync(join(ROOT, "test/kernel/bridge-guard.test.ts"), "utf8");
  const [, kinds = ""] = /const KINDS = \[\n([\s\S]*?)\n\] as const/.exec(source) ?? [];
  const [, remaining = ""] = /sees: \(kind\) => !\[(.*?)\]/.exec(source) ?? [];
  expect(text).toContain(`tries ${kinds.split("\n").length} ways`);
  expect(remaining.split(",")).toHaveLength(3);
  expect(text).toContain("three kinds of forged neighbour advertisements remain");
});

test("each attack in docs/security.md has what shows that it fails, or says that nothing holds", () => {
  const [, section = ""] = /^## Who attacks, from where\n([\s\S]*?)^## /m.exec(text) ?? [];
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && !/^\| (?:from|---)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  const bare = rows.filter((row) => !/`test\//.test(row.split("|")[4] ?? ""));
  expect(bare).toEqual([]);
});
