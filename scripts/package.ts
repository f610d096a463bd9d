// package.ts NFPM NODE_PACKAGE deb|rpm ...: lays out what is installed in dist/packages/tree and has nfpm make the packages of it. ./scripts/package calls it.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { readVersion } from "../src/version.ts";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "dist/packages");
const TREE = join(OUT, "tree");
/** Go's names, which nfpm turns into those of each format. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

interface LockedPackage {
  readonly dev?: boolean;
}

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
  for (const path of productionPackages()) put(path, `usr/lib/imdsgate/${path}`);
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
  const source = isAbsolute(from) ? from : join(ROOT, from);
  cpSync(source, join(TREE, to), { recursive: true, filter: (path) => isNeeded(path, source) });
}

/** What package-lock.json has for the program itself, and this machine has installed. */
function productionPackages(): readonly string[] {
  const lock: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
    readFileSync(join(ROOT, "package-lock.json"), "utf8"),
  );
  const paths = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);
  return paths.map(([path]) => path).filter((path) => existsSync(join(ROOT, path)));
}

/** Types and source maps are for who develops; packages below a package are in the list themselves. */
function isNeeded(source: string, top: string): boolean {
  if (source !== top && basename(source) === "node_modules") return false;
  return basename(source) !== "dist-types" && !/\.(?:map|d\.[cm]?ts)$/.test(source);
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
