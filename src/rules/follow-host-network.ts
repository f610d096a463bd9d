import { type Clock, hasPassed, sleep } from "../clock.ts";
import { type CgroupGuardSet, GUARD_RENEWAL_MS } from "./cgroup-guard.ts";
import { createCgroupWatchers } from "./cgroup-watchers.ts";
import type { HostNetworkPlan } from "./host-network.ts";
import { type HostNetworkLook, type HostNetworkParts, lookAt } from "./host-network-look.ts";
import { tryEach } from "./try-each.ts";

/** The kernel tells of a new cgroup at once. This is for what it does not tell of: the runtime's word, a directory that could not be watched. */
const LOOK_AGAIN_MS = 2_000;
/** For how long nothing is looked at where all is as it should be and the kernel would tell. */
const LONGEST_REST_MS = GUARD_RENEWAL_MS;
/**
 * How long the guard alone holds a new container back, for the runtime to name it: most have a network of their own and need no rule. Then it is led to
 * the gateway, which may know it or not, by the time when TCP sends again.
 */
const NAMED_WITHIN_MS = 500;
/** After a guard that could not be put in. */
const TRY_AGAIN_MS = 1_000;
/** Between two looks: where units come and go by the hundred one look is for many. */
const LEAST_PAUSE_MS = 50;

/** As `HostNetworkParts`, in time. */
interface FollowedParts extends HostNetworkParts {
  readonly clock: Clock;
}

/** What is to be done as cgroups come and go. */
export interface HostNetworkActs {
  /** Another plan is due. */
  readonly onPlan: (plan: HostNetworkPlan) => Promise<void>;
  /** The guard is due, where there is one: `guardCgroups`. Gives what it knows then; undefined where it is not in. */
  readonly onGuard: () => Promise<CgroupGuardSet | undefined>;
}

/**
 * Has the plan and the guard done at once and whenever they are due: at once when a cgroup came or was made anew, within 2 s when one went,
 * since its rule harms nobody and what comes meanwhile need not wait for that; the guard also each 20 s. The next act waits for the end of
 * the one before. Ends when `signal` aborts; rejects only when an act does.
 */
export async function followHostNetwork(parts: FollowedParts, acts: HostNetworkActs, signal: AbortSignal): Promise<void> {
  const { tree, clock } = parts;
  const watchers = createCgroupWatchers(tree);
  const plans = createDue(clock, Number.POSITIVE_INFINITY);
  const guarding = createCgroupGuarding(parts, acts.onGuard);
  const sights = createSights(clock);
  const lookNow = () => lookAt(parts, { by: guarding.standing(), isNew: sights.begin() });

  /** One look, and what is due by it; then a rest, where that is nothing. */
  async function round(): Promise<void> {
    const wake = new AbortController();
    const first = lookNow();
    const isNewlyHeard = watchers.renew(first.plan.watch, () => wake.abort());
    // What counts is a look at a time from which on every change is heard.
    const seen = isNewlyHeard ? lookNow() : first;
    const isHolding = !sights.haveNew() || (await guarding.isHolding());
    const dues = [
      ...(plans.isDue(planned(seen)) ? [() => acts.onPlan(seen.plan)] : []),
      ...(guarding.isDue(seen, isHolding) ? [guarding.put] : []),
    ];
    await tryEach(dues, (act) => act());
    if (dues.length > 0) return;
    const isSettled = watchers.areWhole() && plans.isTold(planned(seen)) && guarding.isTold(seen);
    const ms = sights.haveNew() ? NAMED_WITHIN_MS : guarding.pauseMs();
    await rest(parts, { isSettled, ms }, AbortSignal.any([signal, wake.signal]));
  }

  // First of all, so that the first look is at what it holds.
  await guarding.put();
  try {
    while (!signal.aborted) {
      const begunAt = clock.now();
      await round();
      await sleep(clock, Math.max(0, Math.min(LEAST_PAUSE_MS, begunAt + LEAST_PAUSE_MS - clock.now())), signal);
    }
  } finally {
    watchers.close();
  }
}

/** Until `signal` aborts, which it does when the kernel tells of something; until the runtime does; or until it is time for a look. */
async function rest(
  { clock, containers }: FollowedParts,
  { isSettled, ms }: { readonly isSettled: boolean; readonly ms: number },
  signal: AbortSignal,
): Promise<void> {
  const restedAt = clock.now();
  const known = containers().join();
  do {
    await sleep(clock, ms, signal);
  } while (
    isSettled &&
    ms === LOOK_AGAIN_MS &&
    !signal.aborted &&
    containers().join() === known &&
    !hasPassed(restedAt, LONGEST_REST_MS, clock.now())
  );
}

/** Something that is told, and what of it must not be told late: cgroups, by the kernel's numbers. */
interface Told {
  readonly text: string;
  readonly urgent: ReadonlySet<string>;
}

function planned({ plan: { capture, window, reason }, idOf }: HostNetworkLook): Told {
  return toldOf({ capture, window, reason }, { caught: capture?.caught ?? [] }, idOf);
}

function guarded({ set, idOf }: HostNetworkLook): Told {
  return toldOf(set, { shared: set.shared, known: set.known }, idOf);
}

function toldOf(what: unknown, urgentAs: Readonly<Record<string, readonly string[]>>, idOf: HostNetworkLook["idOf"]): Told {
  const urgent = Object.entries(urgentAs).flatMap(([as, paths]) => paths.map((path) => `${as} ${idOf(path)}`));
  return { text: JSON.stringify([what, urgent]), urgent: new Set(urgent) };
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
      const hasMore = told === undefined || [...seen.urgent].some((one) => !told?.urgent.has(one)) || hasPassed(told.at, againMs, now);
      if (seen.text === told?.text) differsSince = undefined;
      else differsSince ??= now;
      if (!hasMore && (differsSince === undefined || !hasPassed(differsSince, LOOK_AGAIN_MS, now))) return false;
      told = { ...seen, at: now };
      differsSince = undefined;
      return true;
    },
    forget(): void {
      told = undefined;
    },
  };
}

/** The guard: when it is due, and what it knows. Where there can be none it is never due. */
function createCgroupGuarding({ guard, clock }: FollowedParts, onGuard: HostNetworkActs["onGuard"]) {
  const due = createDue(clock, GUARD_RENEWAL_MS);
  let standing: CgroupGuardSet | undefined;
  let failedAt: number | undefined;
  const mayTry = () => guard !== undefined && (failedAt === undefined || hasPassed(failedAt, TRY_AGAIN_MS, clock.now()));
  return {
    standing: () => standing,
    /** How long to rest at most. */
    pauseMs: () => (failedAt === undefined ? LOOK_AGAIN_MS : TRY_AGAIN_MS),
    isDue: (seen: HostNetworkLook, isHolding: boolean) => mayTry() && (due.isDue(guarded(seen)) || !isHolding),
    isTold: (seen: HostNetworkLook) => guard === undefined || due.isTold(guarded(seen)),
    /** Whether what is said to be in is there, by the kernel's own word: somebody may have taken it out. */
    isHolding: async () => guard === undefined || standing === undefined || guard.isHolding(),
    async put(): Promise<void> {
      if (guard === undefined) return;
      standing = await onGuard();
      failedAt = standing === undefined ? clock.now() : undefined;
      // Else it would not be due before another cgroup comes.
      if (standing === undefined) due.forget();
    },
  };
}

/** Remembers when each container's cgroup was first seen. What is there at the first look may have been there for long. */
function createSights(clock: Clock) {
  let before: ReadonlyMap<string | undefined, number> | undefined;
  let hasNew = false;
  return {
    /** Begins a look: it tells of each cgroup, by the kernel's number, whether it is new. */
    begin(): (id: string | undefined) => boolean {
      const now = clock.now();
      const last = before;
      const seen = new Map<string | undefined, number>();
      before = seen;
      hasNew = false;
      return (id) => {
        const at = last === undefined ? Number.NEGATIVE_INFINITY : (last.get(id) ?? now);
        seen.set(id, at);
        const isNew = !hasPassed(at, NAMED_WITHIN_MS, now);
        hasNew ||= isNew;
        return isNew;
      };
    },
    haveNew: () => hasNew,
  };
}
