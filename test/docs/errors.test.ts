import { expect, test } from "vitest";
import { ERROR_CODES } from "../../src/errors.ts";
import { pageAt } from "./pages.ts";

const { text } = pageAt("docs/errors.md");
const SECTIONS = new Map(
  text
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.split("\n", 1)[0] ?? "", section] as const),
);

test("docs/errors.md explains every error code, and no other", () => {
  expect([...SECTIONS.keys()].sort()).toEqual([...ERROR_CODES].sort());
});

test.for([...SECTIONS])("%s has a meaning and a way on", ([, section]) => {
  expect(section).toMatch(/^[A-Z_]+\n\n\S[\s\S]+\n\nDo: \S[\s\S]+$/);
});
