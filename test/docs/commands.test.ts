import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { allPages, codeLinesOf, codeSpansOf, ROOT } from "./pages.ts";

const CODE = allPages()
  .filter(({ path }) => path !== "CHANGELOG.md")
  .flatMap((page) => [...codeSpansOf(page), ...codeLinesOf(page)]);
/** Flags of other programs that the pages name by themselves. */
const FOREIGN_FLAGS = ["--cap-drop", "--noflush"];

let help: Readonly<Record<"main" | "run" | "rules" | "demo", string>>;

beforeAll(() => {
  const helpOf = (...words: string[]) =>
    execFileSync(process.execPath, [join(ROOT, "src/cli.ts"), ...words, "--help"], { encoding: "utf8" });
  help = { main: helpOf(), run: helpOf("run"), rules: helpOf("rules", "show"), demo: helpOf("demo") };
});

test("the commands that the pages name exist", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/(?:^|[ /])imdsgate ([a-z]+)/g)].map(([, word = ""]) => word)));
  expect([...named]).toEqual(expect.arrayContaining(["run", "rules"]));
  expect([...named].filter((word) => !help.main.includes(`imdsgate ${word}`))).toEqual([]);
});

test("the actions of rules that the pages name exist", () => {
  const named = new Set(
    CODE.flatMap((code) => [...code.matchAll(/imdsgate rules ([a-z|]+)/g)].flatMap(([, words = ""]) => words.split("|"))),
  );
  expect([...named].sort()).toEqual(["apply", "check", "diff", "remove", "show"]);
  for (const action of named) expect(help.rules).toContain(`"${action}"`);
});

test("the flags that the pages name exist", () => {
  const known = `${help.run}${help.rules}${help.demo} --strict `;
  const ours = CODE.filter((code) => code.startsWith("--") || /imdsgate (?:run|rules)\b/.test(code));
  const named = new Set(ours.flatMap((code) => [...code.matchAll(/(?<=^|\s)--[a-z][a-z0-9-]*/g)].map(([flag]) => flag)));
  expect(named.size).toBeGreaterThan(10);
  expect([...named].filter((flag) => !FOREIGN_FLAGS.includes(flag) && !new RegExp(`${flag}[\\s,]`).test(known))).toEqual([]);
});

test("the scripts that the pages name can be run", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/\.\/scripts\/[\w-]+/g)].map(([path]) => path)));
  expect([...named].sort()).toEqual(["./scripts/demo", "./scripts/imdsgate", "./scripts/test"]);
  for (const path of named) accessSync(join(ROOT, path), constants.X_OK);
});

test("the npm scripts that the pages name exist", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name)));
  expect([...named].filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
});
