import type { FSWatcher } from "node:fs";
import { type Clock, hasPassed, sleep } from "../clock.ts";
import type { CgroupTree } from "./cgroup-tree.ts";
import { type CgroupFacts, CONTAINER_PARENTS, type HostNetworkPlan, hostNetworkCapture, isContainerDir } from "./host-network.ts";

/** What the plan is made of, besides what the tree shows. */
export interface HostNetworkParts {
  readonly tree: CgroupTree;
  readonly clock: Clock;
  readonly own: string | undefined;
  readonly parents: readonly string[];
  /** As in `CgroupFacts`; asked at each look. */
  readonly driver: () => CgroupFacts["driver"];
  /** Places of the containers with the host's network that are known by now; asked at each look. */
  readonly containers: () => readonly string[];
}

/** The kernel tells of a new cgroup at once. This is for what it may not tell of: the runtime's word, a directory that could not be watched. */
const LOOK_AGAIN_MS = 2_000;

/** The plan for what is there at this moment. */
export function hostNetworkPlan(parts: Omit<HostNetworkParts, "clock">): HostNetworkPlan {
  const { tree, own } = parts;
  const facts = {
    version: tree.version,
    driver: parts.driver(),
    own,
    parents: parts.parents,
    present: [...new Set([...CONTAINER_PARENTS, ...parts.parents])].filter((path) => tree.idOf(path) !== undefined),
  };
  const known = parts.containers();
  const { watch } = hostNetworkCapture({ ...facts, containers: known });
  const seen = watch
    .filter(({ holds }) => holds === "containers")
    .flatMap(({ dir }) => {
      const names = tree.children(dir).filter(isContainerDir);
      return names.map((name) => (dir === "" ? name : `${dir}/${name}`));
    });
  return hostNetworkCapture({ ...facts, containers: [...known, ...seen] });
}

/**
 * Calls `onPlan` with the plan at once and whenever another is due: at once when a cgroup came or was made anew, within 2 s when one went,
 * since its rule harms nobody and what comes meanwhile need not wait for that. The next call waits for the end of the one before. Ends when
 * `signal` aborts; rejects only when `onPlan` does.
 */
export async function followHostNetwork(
  parts: HostNetworkParts,
  onPlan: (plan: HostNetworkPlan) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { tree, clock } = parts;
  const watchers = createWatchers(tree);
  const isDue = createDue(clock);
  try {
    while (!signal.aborted) {
      const wake = new AbortController();
      const first = look(parts);
      const isNewlyHeard = watchers.renew(
        first.plan.watch.map(({ dir }) => nearest(tree, dir)),
        () => wake.abort(),
      );
      // What counts is a look at a time from which on every change is heard.
      const seen = isNewlyHeard ? look(parts) : first;
      if (isDue(seen)) await onPlan(seen.plan);
      else await sleep(clock, LOOK_AGAIN_MS, AbortSignal.any([signal, wake.signal]));
    }
  } finally {
    watchers.close();
  }
}

interface Look {
  readonly plan: HostNetworkPlan;
  /** The kernel's number of each cgroup that is caught. */
  readonly caught: ReadonlySet<string | undefined>;
  readonly text: string;
}

function look(parts: HostNetworkParts): Look {
  const plan = hostNetworkPlan(parts);
  const caught = new Set(plan.capture?.caught.map((path) => parts.tree.idOf(path)));
  return { plan, caught, text: JSON.stringify([plan, [...caught]]) };
}

/** Whether what is seen is to be told now; if so it counts as told. */
function createDue(clock: Clock): (seen: Look) => boolean {
  let told: Look | undefined;
  let differsSince: number | undefined;
  return (seen) => {
    const now = clock.now();
    const hasMore = told === undefined || [...seen.caught].some((id) => !told?.caught.has(id));
    if (seen.text === told?.text) differsSince = undefined;
    else differsSince ??= now;
    if (!hasMore && (differsSince === undefined || !hasPassed(differsSince, LOOK_AGAIN_MS, now))) return false;
    told = seen;
    differsSince = undefined;
    return true;
  };
}

/** The directory itself, or what stands nearest above it: there it will appear. */
function nearest(tree: CgroupTree, dir: string): string {
  if (dir === "" || tree.idOf(dir) !== undefined) return dir;
  return nearest(tree, dir.slice(0, Math.max(dir.lastIndexOf("/"), 0)));
}

function createWatchers(tree: CgroupTree) {
  const open = new Map<string, { readonly id: string | undefined; readonly watcher: FSWatcher | undefined }>();
  let onChange = () => {};
  const end = (dir: string) => {
    open.get(dir)?.watcher?.close();
    open.delete(dir);
  };
  return {
    /** Watches these directories and no others from now on; tells whether one is new. */
    renew(dirs: readonly string[], act: () => void): boolean {
      onChange = act;
      for (const [dir, { id }] of [...open]) if (!dirs.includes(dir) || tree.idOf(dir) !== id) end(dir);
      const added = dirs.filter((dir) => !open.has(dir));
      for (const dir of added) open.set(dir, { id: tree.idOf(dir), watcher: tree.watch(dir, () => onChange()) });
      return added.length > 0;
    },
    close(): void {
      for (const dir of [...open.keys()]) end(dir);
    },
  };
}
