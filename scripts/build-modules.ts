import { cpSync, existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

interface LockedPackage {
  readonly dev?: boolean;
}

/** What a package-lock.json says, as far as it is read here. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** The lock of the checkout at `root` without what only its developers need: npm's `npm-shrinkwrap.json` for who installs the program. */
export function productionLock(root: string): Lock {
  const lock: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return { ...lock, packages: Object.fromEntries(Object.entries(lock.packages).filter(([, { dev }]) => dev !== true)) };
}

/** Copies the packages that the program itself needs from the checkout at `root` into `folder`. */
export function copyModules(root: string, folder: string): void {
  const paths = Object.keys(productionLock(root).packages).filter((path) => path !== "" && existsSync(join(root, path)));
  for (const path of paths) {
    const source = join(root, path);
    cpSync(source, join(folder, path), { recursive: true, filter: (file) => isNeeded(file, source) });
  }
}

/** Types and source maps are for who develops; packages below a package are in the lock themselves. */
function isNeeded(source: string, top: string): boolean {
  if (source !== top && basename(source) === "node_modules") return false;
  return basename(source) !== "dist-types" && !/\.(?:map|d\.[cm]?ts)$/.test(source);
}
