import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { generateRulesDoc } from "../../scripts/generate-rules-doc.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

test("docs/rules.md shows the rules as this kernel lists them (npm run docs:rules writes it anew)", async () => {
  expect(await readFile(new URL("../../docs/rules.md", import.meta.url), "utf8")).toBe(await generateRulesDoc());
});
