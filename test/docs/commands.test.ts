import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { allPages, codeLinesOf, codeSpansOf, ROOT } from "./pages.ts";

const PAGES = allPages().filter(({ path }) => path !== "CHANGELOG.md");
const SPANS = PAGES.flatMap(codeSpansOf);
const CODE = [...SPANS, ...PAGES.flatMap(codeLinesOf)];
/** Flags of other programs that the pages name by themselves. */
const FOREIGN_FLAGS = [
  ...["--cap-drop", "--cgroup-parent", "--cgroups", "--network", "--pid", "--name", "--restart"],
  ...["--noflush", "--experimental-sea-config"],
  ...["--strict", "--requests", "--credentials", "--identity", "--quick"],
];
/** Commands that the help does not list: they are for trials. */
const UNLISTED = ["sim"];

let mainHelp: string;
/** The help of each command that there is. */
let helpOf: ReadonlyMap<string, string>;

beforeAll(async () => {
  const ask = async (...words: string[]) =>
    (await promisify(execFile)(process.execPath, [join(ROOT, "src/cli.ts"), ...words, "--help"], { encoding: "utf8" })).stdout;
  mainHelp = await ask();
  const listed = [...mainHelp.matchAll(/^ {2}imdsgate ([a-z]+)/gm)].map(([, command = ""]) => command);
  helpOf = new Map(await Promise.all([...listed, ...UNLISTED].map(async (name) => [name, await ask(name)] as const)));
});

test("the commands that the pages name exist", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/(?:^|[ /])imdsgate ([a-z]+)/g)].map(([, word = ""]) => word)));
  expect([...named]).toEqual(expect.arrayContaining(["run", "rules"]));
  expect([...named].filter((word) => !helpOf.has(word))).toEqual([]);
});

test("the actions of rules that the pages name exist", () => {
  const named = new Set(
    CODE.flatMap((code) => [...code.matchAll(/imdsgate rules ([a-z|]+)/g)].flatMap(([, words = ""]) => words.split("|"))),
  );
  expect([...named].sort()).toEqual(["apply", "check", "diff", "remove", "show"]);
  for (const action of named) expect(helpOf.get("rules")).toContain(`"${action}"`);
});

test("the flags that the pages name exist", () => {
  const named = new Set(SPANS.filter((code) => code.startsWith("--")).flatMap(flagsIn));
  expect(named.size).toBeGreaterThan(10);
  const known = [...helpOf.values()].join("");
  expect([...named].filter((flag) => !FOREIGN_FLAGS.includes(flag) && !hasFlag(known, flag))).toEqual([]);
});

test("the flags of each command that the pages write out are that command's own", () => {
  const used = CODE.flatMap((code) =>
    [...code.matchAll(/(?:^|[ /])imdsgate ([a-z]+)((?: [^|;&]*)?)/g)].flatMap(([, command = "", rest = ""]) =>
      flagsIn(rest).map((flag) => ({ command, flag })),
    ),
  );
  expect(used.length).toBeGreaterThan(5);
  expect(used.filter(({ command, flag }) => !hasFlag(helpOf.get(command) ?? "", flag))).toEqual([]);
});

test("the scripts that the pages name can be run", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/\.\/scripts\/[\w-]+/g)].map(([path]) => path)));
  expect([...named]).toEqual(expect.arrayContaining(["./scripts/demo", "./scripts/imdsgate", "./scripts/test"]));
  for (const path of named) accessSync(join(ROOT, path), constants.X_OK);
});

test("the npm scripts that the pages name exist", () => {
  const named = new Set(CODE.flatMap((code) => [...code.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name)));
  expect([...named].filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
});

function flagsIn(code: string): readonly string[] {
  return [...code.matchAll(/(?<=^|\s)--[a-z][a-z0-9-]*/g)].map(([flag]) => flag);
}

function hasFlag(help: string, flag: string): boolean {
  return new RegExp(`${flag}[\\s,]`).test(help);
}
