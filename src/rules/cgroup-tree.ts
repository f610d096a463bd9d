import { existsSync, type FSWatcher, readdirSync, readFileSync, statSync, watch } from "node:fs";
import type { CgroupFacts } from "./host-network.ts";

/** The cgroup2 tree of this host. All paths are in that tree, without a leading slash; the root is the empty text. */
export interface CgroupTree {
  /** Which hierarchies are mounted: `hybrid` is a cgroup2 tree beside those of v1; undefined: none is. */
  readonly version: CgroupFacts["version"];
  /** Whether this is the part of it that a container with a cgroup namespace of its own sees. */
  readonly isPart: boolean;
  /** Whether its root is not the kernel's own: this host is a guest that shares the kernel. */
  readonly isNested: boolean;
  /** The kernel's number of a cgroup, which another one under the same path never has; undefined: there is none. */
  idOf(path: string): string | undefined;
  /** The names of the cgroups right below one, sorted; none where it is not there. */
  children(path: string): readonly string[];
  /** The path of the cgroup with this number that is one of `tops` or below it, as far down as containers make cgroups; undefined: none is. */
  pathOf(id: string, tops: readonly string[]): string | undefined;
  /** Calls `onChange` when a cgroup right below `path` comes or goes. Undefined where it cannot be watched. */
  watch(path: string, onChange: () => void): FSWatcher | undefined;
}

/** A container's own cgroup, one that it made inside, and one more. */
const DEPTH = 3;

/** The tree below `root`. `procRoot` is where pids are looked up. Reads, and never makes a cgroup. */
export function cgroupTree({ root = "/sys/fs/cgroup", procRoot = "/proc" } = {}): CgroupTree {
  const version = versionAt(root);
  const at = (path: string) => `${version === "hybrid" ? `${root}/unified` : root}/${path}`;
  const hasTree = version === "v2" || version === "hybrid";
  const idOf = (path: string) => {
    const found = hasTree ? statSync(at(path), { bigint: true, throwIfNoEntry: false }) : undefined;
    return found?.isDirectory() ? String(found.ino) : undefined;
  };
  const children = (path: string) => {
    if (!hasTree) return [];
    try {
      const entries = readdirSync(at(path), { withFileTypes: true });
      return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
    } catch {
      // gone, or not ours to read: nothing to see there
      return [];
    }
  };
  const find = (id: string, path: string, depth: number): string | undefined => {
    if (idOf(path) === id) return path;
    if (depth === 0) return undefined;
    for (const name of children(path)) {
      const found = find(id, `${path}/${name}`, depth - 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  // The kernel's own root has no type (Documentation/admin-guide/cgroup-v2.rst).
  const isNested = hasTree && existsSync(at("cgroup.type"));
  return {
    version,
    isPart: hasTree && isBelowRoot(`${procRoot}/1/cgroup`, isNested),
    isNested,
    idOf,
    children,
    pathOf(id, tops) {
      for (const top of tops) {
        const found = find(id, top, DEPTH);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    watch(path, onChange) {
      try {
        // What is told of files ("change") is how much memory somebody uses, again and again. What ends a watch is news too.
        return watch(at(path), { persistent: false }, (event) => event === "rename" && onChange()).on("error", onChange);
      } catch {
        return undefined;
      }
    },
  };
}

function versionAt(root: string): CgroupFacts["version"] {
  if (existsSync(`${root}/cgroup.controllers`)) return "v2";
  if (existsSync(`${root}/unified/cgroup.controllers`)) return "hybrid";
  return existsSync(root) && readdirSync(root).length > 0 ? "v1" : undefined;
}

/** Whether the first process is where it is on no host: outside of what we see, or right in a root that is not the kernel's (cgroup_namespaces(7)). */
function isBelowRoot(firstProcess: string, isNested: boolean): boolean {
  try {
    const [, path = ""] = /^0::(\/.*)$/m.exec(readFileSync(firstProcess, "latin1")) ?? [];
    return path.startsWith("/..") || (path === "/" && isNested);
  } catch {
    return false;
  }
}
