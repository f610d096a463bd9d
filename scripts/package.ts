// package.ts NFPM NODE_PACKAGE deb|rpm ...: lays out what is installed in dist/packages/tree and has nfpm make the packages of it. ./scripts/package calls it.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, lutimesSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readVersion } from "../src/version.ts";
import { copyModules } from "./build-modules.ts";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "dist/packages");
const TREE = join(OUT, "tree");
/** Go's names, which nfpm turns into those of each format. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

const [nfpm = "", nodePackage = "", ...formats] = process.argv.slice(2);
const unknown = formats.filter((format) => format !== "deb" && format !== "rpm");
if (formats.length === 0 || unknown.length > 0) {
  process.stderr.write("Usage: ./scripts/package deb|rpm ...\n");
  process.exit(2);
}
layOutTree();
for (const format of formats) process.stdout.write(`${makePackage(format)}\n`);
rmSync(TREE, { recursive: true });

function layOutTree(): void {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(TREE, { recursive: true });
  put(join(nodePackage, "bin/node"), "usr/lib/imdsgate/bin/node");
  put(join(nodePackage, "LICENSE"), "usr/lib/imdsgate/bin/LICENSE");
  for (const path of ["package.json", "src"]) put(path, `usr/lib/imdsgate/${path}`);
  copyModules(ROOT, join(TREE, "usr/lib/imdsgate"));
  put("packaging/imdsgate.sh", "usr/bin/imdsgate");
  chmodSync(join(TREE, "usr/bin/imdsgate"), 0o755);
  put("packaging/systemd", "usr/lib/systemd/system");
  for (const path of ["LICENSE", "CHANGELOG.md", "docs/install.md", "packaging/copyright"])
    put(path, `usr/share/doc/imdsgate/${basename(path)}`);
  put("packaging/imdsgate.yaml", "etc/imdsgate/imdsgate.yaml");
  ageTree(TREE);
}

/** Copies a file or folder of the checkout to its place in the tree. */
function put(from: string, to: string): void {
  cpSync(resolve(ROOT, from), join(TREE, to), { recursive: true });
}

/** The same tree gives the same package: no file tells when it was copied. */
function ageTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) ageTree(path);
    lutimesSync(path, sourceDate(), sourceDate());
  }
}

/** Seconds since the epoch: SOURCE_DATE_EPOCH, as all that makes reproducible packages has it. */
function sourceDate(): number {
  return Number(process.env["SOURCE_DATE_EPOCH"] ?? Date.UTC(2026, 0, 1) / 1000);
}

/** Gives the path of the package. */
function makePackage(format: string): string {
  const env = {
    ...process.env,
    TREE,
    VERSION: readVersion(),
    ARCH: ARCHITECTURES[process.arch] ?? process.arch,
    SOURCE_DATE_EPOCH: String(sourceDate()),
  };
  const words = ["package", "--config", "packaging/nfpm.yaml", "--packager", format, "--target", OUT];
  const said = execFileSync(nfpm, words, { cwd: ROOT, env, encoding: "utf8" });
  const [, path = ""] = /^created package: (.+)$/m.exec(said) ?? [];
  if (path === "") throw new Error(`nfpm made no package:\n${said}`);
  return path;
}
