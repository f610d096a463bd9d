// Exit code 0 when node_modules holds what package-lock.json names, 1 when `npm ci` has to run. Uses no package, so it runs before any is there.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

const root = join(import.meta.dirname, "../..");

function lockedPackages(file: string): Map<string, LockedPackage> {
  const lock: { packages?: Record<string, LockedPackage> } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  return new Map(Object.entries(lock.packages ?? {}).filter(([path]) => path !== ""));
}

/** npm leaves out optional packages for other platforms. One that names this platform and is missing was left out by an npm on an older Node. */
function mayBeMissing({ optional, os, cpu, libc }: LockedPackage): boolean {
  const isForHere = os?.includes(process.platform) === true && cpu?.includes(process.arch) === true && (libc?.includes("glibc") ?? true);
  return optional === true && !isForHere;
}

const wanted = lockedPackages(join(root, "package-lock.json"));
const installed = lockedPackages(join(root, "node_modules/.package-lock.json"));
const isCurrent = [...wanted].every(([path, entry]) => {
  const found = installed.get(path);
  return found === undefined ? mayBeMissing(entry) : found.version === entry.version;
});
process.exitCode = isCurrent && installed.size > 0 ? 0 : 1;
