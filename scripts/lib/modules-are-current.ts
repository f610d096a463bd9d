// Exit code 0 when node_modules holds what package-lock.json names, 1 when `npm ci` has to run. Uses no package, so it runs before any is there.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

const root = join(import.meta.dirname, "../..");

function lockedPackages(file: string): Map<string, LockedPackage> {
  const lock: { packages?: Record<string, LockedPackage> } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  return new Map(Object.entries(lock.packages ?? {}).filter(([path]) => path !== ""));
}

const wanted = lockedPackages(join(root, "package-lock.json"));
const installed = lockedPackages(join(root, "node_modules/.package-lock.json"));
// npm leaves out optional packages made for another platform
const isCurrent = [...wanted].every(([path, { version, optional, devOptional }]) => {
  const found = installed.get(path);
  return found === undefined ? optional === true || devOptional === true : found.version === version;
});
process.exitCode = isCurrent && installed.size > 0 ? 0 : 1;
