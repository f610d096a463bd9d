import { type Clock, hasPassed, sleep } from "../clock.ts";
import { type CgroupGuard, type CgroupGuardSet, GUARD_RENEWAL_MS } from "./cgroup-guard.ts";
import type { CgroupTree } from "./cgroup-tree.ts";
import { createCgroupWatchers } from "./cgroup-watchers.ts";
import {
  type CgroupFacts,
  CONTAINER_PARENTS,
  type HostNetworkPlan,
  hostNetworkCapture,
  isContainerDir,
  mayHoldContainers,
} from "./host-network.ts";
import { tryEach } from "./try-each.ts";

/** What the plan is made of, besides what the tree shows. */
export interface HostNetworkParts {
  readonly tree: CgroupTree;
  readonly clock: Clock;
  readonly own: string | undefined;
  readonly parents: readonly string[];
  /** Undefined where this host can have none. */
  readonly guard: CgroupGuard | undefined;
  /** As in `CgroupFacts`; asked at each look. */
  readonly driver: () => CgroupFacts["driver"];
  /** Places of the containers with the host's network that are known by now; asked at each look. */
  readonly containers: () => readonly string[];
  /** Whether the container of a directory with this name is known to have a network of its own. */
  readonly isElsewhere: (name: string) => boolean;
}

/** The kernel tells of a new cgroup at once. This is for what it does not tell of: the runtime's word, a directory that could not be watched. */
const LOOK_AGAIN_MS = 2_000;
/** For how long nothing is looked at where all is as it should be and the kernel would tell. */
const LONGEST_REST_MS = GUARD_RENEWAL_MS;
/**
 * How long the guard alone holds a new container back, for the runtime to name it: most have a network of their own and need no rule. Then it is led to
 * the gateway, which may know it or not, by the time when TCP sends again.
 */
const NAMED_WITHIN_MS = 500;
/** Between two looks: where units come and go by the hundred one look is for many. */
const LEAST_PAUSE_MS = 50;
/** A place for containers is looked for so many directories below the root, and so many of them are looked at. */
const DEEPEST_SHARED = 3;
const MOST_SHARED = 256;

/** The plan for what is there at this moment. */
export function hostNetworkPlan(parts: Omit<HostNetworkParts, "clock">): HostNetworkPlan {
  return planIn(snapshotOf(parts.tree), parts);
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

/** `isNew`: whether the runtime may yet name the container in this directory. */
function planIn(tree: CgroupTree, parts: Omit<HostNetworkParts, "clock" | "tree">, isNew = (_: string) => false): HostNetworkPlan {
  const { own, guard } = parts;
  // What the guard holds back needs no rule.
  const isHeld = (name: string) => guard !== undefined && parts.isElsewhere(name);
  const places = [...new Set([...CONTAINER_PARENTS, ...parts.parents])];
  const facts = {
    version: tree.version,
    isPart: tree.isPart,
    driver: parts.driver(),
    own,
    parents: parts.parents,
    present: places.filter((path) => tree.idOf(path) !== undefined),
    shared: sharedIn(tree, places).slice(0, MOST_SHARED),
    isGuarded: guard !== undefined,
  };
  const known = parts.containers();
  const { shared } = hostNetworkCapture({ ...facts, containers: known });
  const seen = shared.flatMap((dir) => below(tree, dir, (name) => isContainerDir(name) && !isHeld(name))).filter((path) => !isNew(path));
  return hostNetworkCapture({ ...facts, containers: [...known, ...seen] });
}

/** The directories, the root first, that may have containers right below them among other things. */
function sharedIn(tree: CgroupTree, parents: readonly string[], dir = "", depth = 0): readonly string[] {
  if (depth === DEEPEST_SHARED) return [dir];
  const deeper = below(tree, dir, mayHoldContainers).filter((path) => !parents.includes(path));
  return [dir, ...deeper.flatMap((path) => sharedIn(tree, parents, path, depth + 1))];
}

/** The paths of those cgroups right below `dir` whose names are wanted. */
function below(tree: CgroupTree, dir: string, isWanted: (name: string) => boolean): readonly string[] {
  const names = tree.children(dir).filter(isWanted);
  return names.map((name) => (dir === "" ? name : `${dir}/${name}`));
}

/** What the guard is to know of the cgroups that there are at this moment. */
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
 * Puts the guard in for what there is at this moment, for so many seconds, where this host can have one and the tree can be seen. A cgroup that
 * goes meanwhile fails it: then it is done again, five times at most. Tells whether it is in. Throws as `CgroupGuard.put`.
 */
export async function guardCgroups(parts: Omit<HostNetworkParts, "clock">, seconds: number): Promise<boolean> {
  const { guard } = parts;
  let failed = "";
  for (let tries = 1; ; tries += 1) {
    const tree = snapshotOf(parts.tree);
    const plan = planIn(tree, parts);
    if (guard === undefined || plan.capture === undefined) return false;
    const set = guardSet(tree, plan);
    try {
      await guard.put(set, seconds);
      return true;
    } catch (error) {
      const text = JSON.stringify(set);
      if (tries === TRIES || text === failed) throw error;
      failed = text;
    }
  }
}

/** What is to be done as cgroups come and go. */
interface HostNetworkActs {
  /** Another plan is due. */
  readonly onPlan: (plan: HostNetworkPlan) => Promise<void>;
  /** The guard is due, where there is one: `guardCgroups`. Tells whether it is in. */
  readonly onGuard: () => Promise<boolean>;
}

/**
 * Has the plan and the guard done at once and whenever they are due: at once when a cgroup came or was made anew, within 2 s when one went,
 * since its rule harms nobody and what comes meanwhile need not wait for that; the guard also each 20 s. The next act waits for the end of
 * the one before. Ends when `signal` aborts; rejects only when an act does.
 */
export async function followHostNetwork(parts: HostNetworkParts, { onPlan, onGuard }: HostNetworkActs, signal: AbortSignal): Promise<void> {
  const { tree, clock, guard } = parts;
  const watchers = createCgroupWatchers(tree);
  const plans = createDue(clock, Number.POSITIVE_INFINITY);
  const guards = createDue(clock, GUARD_RENEWAL_MS);
  const sights = createSights(clock);
  let isGuarded = false;
  const putGuard = async () => {
    isGuarded = await onGuard();
  };
  try {
    while (!signal.aborted) {
      const wake = new AbortController();
      const lookedAt = clock.now();
      const lookNow = () => look(parts, sights.look(isGuarded));
      const first = lookNow();
      const isNewlyHeard = watchers.renew(first.plan.watch, () => wake.abort());
      // What counts is a look at a time from which on every change is heard.
      const { plan, planned, guarded } = isNewlyHeard ? lookNow() : first;
      const duties = [
        { due: plans, seen: planned, act: () => onPlan(plan) },
        ...(guard === undefined ? [] : [{ due: guards, seen: guarded, act: putGuard }]),
      ];
      const acts = duties.filter(({ due, seen }) => due.isDue(seen));
      await tryEach(acts, ({ act }) => act());
      const isSettled = watchers.areWhole() && duties.every(({ due, seen }) => due.isTold(seen));
      const restMs = sights.haveNew() ? NAMED_WITHIN_MS : LOOK_AGAIN_MS;
      if (acts.length === 0) await rest(parts, { isSettled, restMs }, AbortSignal.any([signal, wake.signal]));
      await sleep(clock, Math.max(0, Math.min(LEAST_PAUSE_MS, lookedAt + LEAST_PAUSE_MS - clock.now())), signal);
    }
  } finally {
    watchers.close();
  }
}

/** Something that is told, and the kernel's number of each cgroup in it that must not be told late. */
interface Told {
  readonly text: string;
  readonly ids: ReadonlySet<string | undefined>;
}

function look(
  parts: HostNetworkParts,
  isNew: (id: string | undefined) => boolean,
): { readonly plan: HostNetworkPlan; readonly planned: Told; readonly guarded: Told } {
  const tree = snapshotOf(parts.tree);
  const plan = planIn(tree, parts, (path) => isNew(tree.idOf(path)));
  const set = guardSet(tree, plan);
  const { capture, window, reason } = plan;
  const toldOf = (what: unknown, urgent: readonly string[]): Told => {
    const ids = new Set(urgent.map((path) => tree.idOf(path)));
    return { text: JSON.stringify([what, [...ids]]), ids };
  };
  return { plan, planned: toldOf({ capture, window, reason }, capture?.caught ?? []), guarded: toldOf(set, set.known) };
}

/** Until `signal` aborts, which it does when the kernel tells of something; until the runtime does; or until it is time for a look. */
async function rest(
  { clock, containers }: HostNetworkParts,
  { isSettled, restMs }: { readonly isSettled: boolean; readonly restMs: number },
  signal: AbortSignal,
): Promise<void> {
  const restedAt = clock.now();
  const known = containers().join();
  do {
    await sleep(clock, restMs, signal);
  } while (
    isSettled &&
    restMs === LOOK_AGAIN_MS &&
    !signal.aborted &&
    containers().join() === known &&
    !hasPassed(restedAt, LONGEST_REST_MS, clock.now())
  );
}

/** Remembers when each container's cgroup was first seen. What is there at the first look may have been there for long. */
function createSights(clock: Clock) {
  let before: ReadonlyMap<string | undefined, number> | undefined;
  let hasNew = false;
  return {
    /** Begins a look: it tells of each cgroup, by the kernel's number, whether it is new. Without a guard to hold it none is. */
    look(isGuarded: boolean): (id: string | undefined) => boolean {
      const now = clock.now();
      const last = before;
      const seen = new Map<string | undefined, number>();
      before = seen;
      hasNew = false;
      return (id) => {
        const at = last === undefined ? Number.NEGATIVE_INFINITY : (last.get(id) ?? now);
        seen.set(id, at);
        const isNew = isGuarded && !hasPassed(at, NAMED_WITHIN_MS, now);
        hasNew ||= isNew;
        return isNew;
      };
    },
    haveNew: () => hasNew,
  };
}

/** Remembers what was told, and when. */
function createDue(clock: Clock, againMs: number) {
  let told: (Told & { readonly at: number }) | undefined;
  let differsSince: number | undefined;
  return {
    isTold: (seen: Told) => seen.text === told?.text,
    /** Whether what is seen is to be told now, also where it was told `againMs` ago; if so it counts as told. */
    isDue(seen: Told): boolean {
      const now = clock.now();
      const hasMore = told === undefined || [...seen.ids].some((id) => !told?.ids.has(id)) || hasPassed(told.at, againMs, now);
      if (seen.text === told?.text) differsSince = undefined;
      else differsSince ??= now;
      if (!hasMore && (differsSince === undefined || !hasPassed(differsSince, LOOK_AGAIN_MS, now))) return false;
      told = { ...seen, at: now };
      differsSince = undefined;
      return true;
    },
  };
}
