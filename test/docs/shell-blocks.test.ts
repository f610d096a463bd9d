import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { allPages, ROOT } from "./pages.ts";
import { SHELL_BLOCKS } from "./shell-blocks.ts";
import { shellBlocksOf } from "./shell-commands.ts";

const FOUND = allPages().flatMap((page) => shellBlocksOf(page).map((commands) => ({ page: page.path, commands })));

describe("the blocks of shell commands in the pages", () => {
  test("are found, and stand in the table of those who ran them (test/docs/shell-blocks.ts), each once; the table has no other", () => {
    const inTable = SHELL_BLOCKS.map(({ page, commands }) => ({ page, commands }));
    expect(FOUND.length).toBeGreaterThan(10);
    expect(sorted(FOUND)).toEqual(sorted(inTable));
  });

  test.for(SHELL_BLOCKS)("$page: $commands.0", ({ needs, by }) => {
    if (by === undefined) return expect(["AWS", "Docker"]).toContain(needs);
    expect(existsSync(join(ROOT, by.file))).toBe(true);
    expect(readFileSync(join(ROOT, by.file), "utf8")).toContain(by.says);
  });
});

test("a block for a shell is told from others, and its lines are commands", () => {
  const text = [
    "    # a comment\n    sudo imdsgate run \\\n      --bind name:a=b\n    ./scripts/x   # why\n",
    "    ┌── a picture\n",
    '```json\n{ "curl": 1 }\n```\n',
    "```sh\nfor x in 1; do echo; done\n```\n",
    "- a list\n\n      $ curl http://example.com\n",
  ].join("\ntext\n\n");
  expect(shellBlocksOf({ path: "a.md", text })).toEqual([
    ["for x in 1; do echo; done"],
    ["sudo imdsgate run --bind name:a=b", "./scripts/x"],
    ["curl http://example.com"],
  ]);
});

function sorted(blocks: readonly object[]): readonly string[] {
  return blocks.map((block) => JSON.stringify(block)).sort();
}
