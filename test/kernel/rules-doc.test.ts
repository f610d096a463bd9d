import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generateRulesDoc } from "../../scripts/generate-rules-doc.ts";

test("docs/rules.md shows the rules as this kernel lists them (npm run docs writes it anew)", async () => {
  expect(await readFile(new URL("../../docs/rules.md", import.meta.url), "utf8")).toBe(await generateRulesDoc());
});
