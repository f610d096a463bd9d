// build.ts npm|image [FOLDER]: lays out the npm package, or the context of the container image, in dist/npm or dist/image. The first is for
// `npm publish FOLDER`, the second for `docker build FOLDER`; both run built JavaScript, since Node strips no types below node_modules.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { copyModules, productionLock } from "./build-modules.ts";

const ROOT = join(import.meta.dirname, "..");
const [what = "", folder = `dist/${what}`] = process.argv.slice(2);
const out = resolve(folder);

if (what !== "npm" && what !== "image") {
  process.stderr.write("Usage: node scripts/build.ts npm|image [FOLDER]\n");
  process.exit(2);
}
rmSync(out, { recursive: true, force: true });
if (what === "npm") layOutPackage(out);
else layOutContext(out);
process.stdout.write(`${out}\n`);

function layOutPackage(to: string): void {
  compile(join(to, "dist"));
  writeJson(join(to, "package.json"), publishedManifest());
  writeJson(join(to, "npm-shrinkwrap.json"), withoutDevelopers());
  for (const name of ["README.md", "CHANGELOG.md", "LICENSE"]) copyFileSync(join(ROOT, name), join(to, name));
}

function layOutContext(to: string): void {
  const app = join(to, "app");
  compile(join(app, "dist"));
  writeJson(join(app, "package.json"), publishedManifest());
  copyFileSync(join(ROOT, "LICENSE"), join(app, "LICENSE"));
  copyModules(ROOT, app);
  for (const name of ["Dockerfile", "health.mjs"]) copyFileSync(join(ROOT, "packaging/image", name), join(to, name));
}

function compile(to: string): void {
  mkdirSync(to, { recursive: true });
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "--project", join(ROOT, "tsconfig.build.json"), "--outDir", to], { stdio: "inherit" });
  chmodSync(join(to, "cli.js"), 0o755);
}

/** What users of the package need to know of it. It is a program and no library: nothing can be imported, so there are no types either. */
function publishedManifest(): Readonly<Record<string, unknown>> {
  const { private: _private, scripts: _scripts, devDependencies: _devDependencies, ...rest } = manifest;
  return {
    ...rest,
    bin: { imdsgate: "dist/cli.js" },
    exports: { "./package.json": "./package.json" },
    files: ["dist", "CHANGELOG.md", "npm-shrinkwrap.json"],
    os: ["linux"],
    publishConfig: { access: "public", provenance: true },
  };
}

/** The versions that were tested, for those who install it. */
function withoutDevelopers(): unknown {
  const lock = productionLock(ROOT);
  const { devDependencies: _devDependencies, ...top } = { devDependencies: undefined, ...lock.packages[""] };
  return { ...lock, packages: { ...lock.packages, "": top } };
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
