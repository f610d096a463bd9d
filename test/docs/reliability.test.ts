import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pageAt, ROOT } from "./pages.ts";

const { text } = pageAt("docs/reliability.md");

test("each test that docs/reliability.md names by its title is in the file that it names", () => {
  const named = [...text.matchAll(/`(test\/[\w/.-]+\.ts)`, “([^”]+)”/g)].map(([, path = "", title = ""]) => ({ path, title }));
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter(({ path, title }) => !readFileSync(join(ROOT, path), "utf8").includes(`"${title}`))).toEqual([]);
});

test("docs/reliability.md has every refusal that churn allows", () => {
  const source = readFileSync(join(ROOT, "test/docker/churn/allowed-refusals.ts"), "utf8");
  const outcomes = [...source.matchAll(/outcomes: \[(.*)\]/g)].flatMap(([, list = ""]) => list.split(", "));
  const [, section = ""] = /^## What may be refused\n([\s\S]*?)^## /m.exec(text) ?? [];
  expect(outcomes.length).toBeGreaterThan(5);
  expect(outcomes.filter((outcome) => !section.includes(`\`${outcome.replaceAll('"', "")}\``))).toEqual([]);
});
