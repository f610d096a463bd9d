import type { FSWatcher } from "node:fs";
import type { CgroupTree } from "./cgroup-tree.ts";

/** Hears of cgroups that come and go. */
export interface CgroupWatchers {
  /**
   * Watches these directories and no others from now on, where one is not there the nearest above it; tells whether one is new. `onChange` is
   * called for whatever happens in them until the next call.
   */
  renew(dirs: readonly string[], onChange: () => void): boolean;
  /** Whether the kernel tells of each of them. */
  areWhole(): boolean;
  close(): void;
}

/** Watches nothing yet. */
export function createCgroupWatchers(tree: CgroupTree): CgroupWatchers {
  const open = new Map<string, { readonly id: string | undefined; readonly watcher: FSWatcher | undefined }>();
  let tell = () => {};
  const end = (dir: string) => {
    open.get(dir)?.watcher?.close();
    open.delete(dir);
  };
  return {
    renew(wanted, onChange) {
      tell = onChange;
      const dirs = [...new Set(wanted.map((dir) => nearest(tree, dir)))];
      for (const [dir, { id }] of [...open]) if (!dirs.includes(dir) || tree.idOf(dir) !== id) end(dir);
      const added = dirs.filter((dir) => !open.has(dir));
      for (const dir of added) open.set(dir, { id: tree.idOf(dir), watcher: tree.watch(dir, () => tell()) });
      return added.length > 0;
    },
    areWhole: () => [...open.values()].every(({ watcher }) => watcher !== undefined),
    close() {
      for (const dir of [...open.keys()]) end(dir);
    },
  };
}

/** The directory itself, or what stands nearest above it: there it will appear. */
function nearest(tree: CgroupTree, dir: string): string {
  if (dir === "" || tree.idOf(dir) !== undefined) return dir;
  return nearest(tree, dir.slice(0, Math.max(dir.lastIndexOf("/"), 0)));
}
