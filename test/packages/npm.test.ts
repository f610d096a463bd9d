import { execFile, execFileSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempDisposableSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "../..");
const LIMIT_MS = 120_000;
const PATH = `${join(process.execPath, "..")}:/usr/sbin:/usr/bin:/sbin:/bin`;
const run = promisify(execFile);

let folder: ReturnType<typeof mkdtempDisposableSync>;
let tarball: string;

beforeAll(() => {
  folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-npm-"));
  const built = join(folder.path, "built");
  execFileSync(process.execPath, [join(ROOT, "scripts/build.ts"), "npm", built]);
  npm(["pack", "--silent", "--pack-destination", folder.path, built]);
  tarball = join(folder.path, `imdsgate-${manifest.version}.tgz`);
}, LIMIT_MS);
afterAll(() => folder[Symbol.dispose]());

test("the package has the built program and its papers, nothing of its developers", () => {
  const files = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trimEnd().split("\n");
  const sources = globSync("**/*.ts", { cwd: join(ROOT, "src") }).map((path) => `package/dist/${path.replace(/\.ts$/, ".js")}`);
  const papers = ["CHANGELOG.md", "LICENSE", "README.md", "npm-shrinkwrap.json", "package.json"].map((name) => `package/${name}`);
  expect(files.toSorted()).toEqual([...sources, ...papers].toSorted());
  const shown: Readonly<Record<string, unknown>> = JSON.parse(read("package.json"));
  expect(Object.keys(shown)).not.toContain("devDependencies");
  expect(Object.keys(shown)).not.toContain("scripts");
  expect(read("npm-shrinkwrap.json")).not.toContain('"dev": true');
  expect(read("dist/cli.js")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test("publint and attw have nothing to say of it", { timeout: LIMIT_MS }, async (context) => {
  const linters = join(folder.path, "linters");
  mkdirSync(linters);
  const words = ["install", "--no-audit", "--no-fund", "--silent", "--prefix", linters, "publint@0.3.25", "@arethetypeswrong/cli@0.18.5"];
  const fetched = await run("npm", words, { env: environment() }).then(
    () => true,
    () => false,
  );
  if (!fetched) return context.skip("publint and attw cannot be fetched here");
  const bin = (name: string) => join(linters, "node_modules/.bin", name);
  expect((await run(bin("publint"), ["--strict", tarball], { env: environment() })).stdout).toContain("All good!");
  expect((await run(bin("attw"), [tarball], { env: environment() })).stdout).toContain("This package does not contain types.");
});

test("installed with -g it runs, tells its whole story, and is gone without a trace when it is removed", {
  timeout: LIMIT_MS,
}, async (context) => {
  const prefix = join(folder.path, "prefix");
  const global = ["--global", "--silent", "--no-audit", "--no-fund", "--prefix", prefix];
  const installed = await run("npm", ["install", ...global, tarball], { env: environment() }).catch((error: unknown) => String(error));
  if (typeof installed === "string") return context.skip(`its dependencies cannot be fetched here: ${installed}`);
  const imdsgate = join(prefix, "bin/imdsgate");
  expect((await run(imdsgate, ["version"], { env: environment() })).stdout).toContain(`imdsgate ${manifest.version}`);
  expect((await run(imdsgate, ["demo"], { env: environment() })).stdout).toMatch(/^All went as told/m);
  npm(["uninstall", ...global, "imdsgate"]);
  const left = readdirSync(prefix, { recursive: true, encoding: "utf8" }).toSorted();
  expect(left).toEqual(["bin", "lib", "lib/node_modules"]);
});

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH };
}

function npm(words: readonly string[]): void {
  execFileSync("npm", words, { env: environment(), stdio: "ignore" });
}

function read(path: string): string {
  return execFileSync("tar", ["-xzOf", tarball, `package/${path}`], { encoding: "utf8" });
}
