import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** Runs imdsgate with `hook` as Node's hook on each import: code that has `specifier`, `parent` (a URL) and `seen` (a list). */
function runHooked(words: readonly string[], hook: string): { seen: unknown; stderr: string; exitCode: number | null } {
  const directory = mkdtempSync(join(tmpdir(), "imdsgate-loading-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const hooks = join(directory, "hooks.mjs");
  writeFileSync(
    hooks,
    `import { registerHooks } from "node:module";
     const seen = [];
     registerHooks({ resolve(specifier, context, next) { const parent = context.parentURL ?? ""; ${hook} return next(specifier, context); } });
     process.on("exit", () => process.stdout.write(JSON.stringify(seen)));`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", hooks, join(ROOT, "src/cli.ts"), ...words], {
    encoding: "utf8",
    timeout: 20_000,
  });
  return { seen: JSON.parse(stdout.split("\n").at(-1) ?? ""), stderr, exitCode: status };
}

/** Should one of these start all the same, then without effect on this machine. */
const HARMLESS = ["--rules", "none", "--runtime", "none", "--upstream", "http://127.0.0.1:9"];
const NOTE_PACKAGES = 'if (parent.includes("/src/") && !/^(node:|[.])/.test(specifier)) seen.push(specifier);';

test.for([
  { words: ["rnu"], packages: ["yargs", "yargs/helpers"] },
  { words: ["run", ...HARMLESS, "--listen", "nonsense"], packages: ["yargs", "yargs/helpers", "pino"] },
  { words: ["run", ...HARMLESS, "--config", join(ROOT, "package.json")], packages: ["yargs", "yargs/helpers", "pino", "yaml"] },
])("imdsgate $words loads no package before it needs it", ({ words, packages }) => {
  const { seen, exitCode } = runHooked(words, NOTE_PACKAGES);
  expect(exitCode).toBe(2);
  expect(seen).toEqual(packages);
});

test.for([
  { missing: "yaml", words: ["run", ...HARMLESS, "--config", join(ROOT, "package.json")] },
  { missing: "./commands/rules.ts", words: ["rules", "show"] },
])("a missing $missing is told as what it is", ({ missing, words }) => {
  const fail = `if (specifier === ${JSON.stringify(missing)}) throw Object.assign(new Error("Cannot find " + specifier), { code: "ERR_MODULE_NOT_FOUND" });`;
  const { stderr, exitCode } = runHooked(words, fail);
  expect(exitCode).toBe(1);
  expect(stderr).toBe(`imdsgate: this installation is not whole: Cannot find ${missing}\n  try  npm ci\n`);
});
