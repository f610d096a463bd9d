import { pathBelow } from "../container-cgroup.ts";
import { type CgroupGuard, type CgroupGuardSet, canName } from "./cgroup-guard.ts";
import type { CgroupTree } from "./cgroup-tree.ts";
import { CONTAINER_PARENTS, type HostNetworkPlan, hostNetworkCapture, isContainerDir, mayHoldContainers } from "./host-network.ts";

/** Where to look, and what is known besides. */
export interface HostNetworkParts {
  readonly tree: CgroupTree;
  readonly own: string | undefined;
  /** Undefined where this host can have none. */
  readonly guard: CgroupGuard | undefined;
  /** Places of the containers with the host's network that are known by now; asked at each look. */
  readonly containers: () => readonly string[];
  /** Whether the container of a directory with this name is known to have a network of its own. */
  readonly isElsewhere: (name: string) => boolean;
}

/** One look at the tree. */
export interface HostNetworkLook {
  readonly plan: HostNetworkPlan;
  /** What the guard is to know. */
  readonly set: CgroupGuardSet;
  readonly idOf: CgroupTree["idOf"];
}

/** What holds a container back, so that it needs no rule: the guard that is in. */
export interface Held {
  /** What the guard knows; undefined: there is none. */
  readonly by: CgroupGuardSet | undefined;
  /** Whether the runtime may yet name a container, by the kernel's number of its cgroup. */
  readonly isNew: (id: string | undefined) => boolean;
}

/** A place for containers is looked for so many directories below the root, and so many of them are looked at: first where Docker and Podman have theirs. */
const DEEPEST_SHARED = 3;
const MOST_SHARED = 1_024;
const FIRST_SHARED: readonly string[] = ["system.slice", "machine.slice"];

/** The plan for what is there at this moment, as it is once the guard is in where there can be one. */
export function hostNetworkPlan(parts: HostNetworkParts): HostNetworkPlan {
  return lookAt(parts, undefined).plan;
}

/** Looks, and decides with what is `held` now; undefined: all that can be will be, but nothing is new. */
export function lookAt(parts: HostNetworkParts, held: Held | undefined): HostNetworkLook {
  const { own, guard } = parts;
  const tree = snapshotOf(parts.tree);
  const all = sharedIn(tree);
  const facts = {
    version: tree.version,
    isPart: tree.isPart,
    own,
    present: CONTAINER_PARENTS.filter((path) => tree.idOf(path) !== undefined),
    shared: all.slice(0, MOST_SHARED),
    isGuarded: all.length <= MOST_SHARED && (held === undefined ? guard !== undefined : held.by !== undefined),
  };
  const known = parts.containers();
  const { shared } = hostNetworkCapture({ ...facts, containers: known });
  const isGuarded = once((dir) => (held === undefined ? guard !== undefined : holds(held.by, dir)));
  const needsRule = (dir: string, name: string): boolean => {
    const isNew = held?.isNew(tree.idOf(pathBelow(dir, name))) === true;
    return !isGuarded(dir) || !(isNew || parts.isElsewhere(name));
  };
  const seen = shared.flatMap((dir) => below(tree, dir, (name) => isContainerDir(name) && needsRule(dir, name)));
  const plan = hostNetworkCapture({ ...facts, containers: [...known, ...seen] });
  return { plan, set: guardSet(tree, plan), idOf: tree.idOf };
}

/** Whether a container in this directory is held back: all the way down there is none but what is known and shared, or one that is not known. */
function holds(set: CgroupGuardSet | undefined, dir: string): boolean {
  if (set === undefined) return false;
  const way = dir === "" ? [] : dir.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));
  const end = way.find((path) => !(set.known.includes(path) && set.shared.includes(path)));
  return end === undefined || !set.known.includes(end);
}

/** The tree at this moment: what is asked again is answered as before, so that two answers always go together. */
function snapshotOf(tree: CgroupTree): CgroupTree {
  return { ...tree, idOf: once(tree.idOf), children: once(tree.children) };
}

function once<T>(ask: (path: string) => T): (path: string) => T {
  const answers = new Map<string, { readonly answer: T }>();
  return (path) => {
    const given = answers.get(path) ?? { answer: ask(path) };
    answers.set(path, given);
    return given.answer;
  };
}

/** The directories, the root first and then level by level, that may have containers right below them among other things. */
function sharedIn(tree: CgroupTree): readonly string[] {
  const found = [""];
  for (let level = [""], depth = 0; depth < DEEPEST_SHARED; depth += 1) {
    level = level.flatMap((dir) => below(tree, dir, mayHoldContainers)).filter((path) => !CONTAINER_PARENTS.includes(path));
    found.push(...FIRST_SHARED.filter((dir) => level.includes(dir)), ...level.filter((dir) => !FIRST_SHARED.includes(dir)));
  }
  return found;
}

/** The paths of those cgroups right below `dir` whose names are wanted. */
function below(tree: CgroupTree, dir: string, isWanted: (name: string) => boolean): string[] {
  return tree
    .children(dir)
    .filter(isWanted)
    .map((name) => pathBelow(dir, name));
}

function guardSet(tree: CgroupTree, { shared, parents, ownContainer }: HostNetworkPlan): CgroupGuardSet {
  const others = shared.flatMap((dir) => below(tree, dir, (name) => !isContainerDir(name)));
  return {
    prefix: tree.version === "hybrid" ? "unified/" : "",
    shared: shared.filter((dir) => tree.idOf(dir) !== undefined && dir !== ""),
    known: others.filter((path) => !parents.includes(path)),
    ownContainer,
  };
}

const TRIES = 5;

/**
 * Puts the guard in for what there is at this moment, where this host can have one and the tree and ourselves can be seen. A cgroup that goes meanwhile
 * fails it: then it is done again, five times at most. Gives what it knows then; undefined where it is not in. Throws as `CgroupGuard.put`.
 */
export async function guardCgroups(parts: HostNetworkParts): Promise<CgroupGuardSet | undefined> {
  const { guard } = parts;
  let failed = "";
  for (let tries = 1; ; tries += 1) {
    const { plan, set } = lookAt(parts, undefined);
    if (guard === undefined || plan.capture === undefined || !canName(set.ownContainer ?? "own")) return undefined;
    try {
      await guard.put(set);
      return set;
    } catch (error) {
      const text = JSON.stringify(set);
      if (tries === TRIES || text === failed) throw error;
      failed = text;
    }
  }
}
