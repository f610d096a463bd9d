import { containerIdOf } from "../container-cgroup.ts";
import type { HostNetworkCapture } from "./rule-set.ts";

/** What is known of this host's cgroups. All paths are in the cgroup2 tree, without a leading slash; the root is the empty text. */
export interface CgroupFacts {
  /** Which hierarchies are mounted; undefined: none is. */
  readonly version: "v1" | "v2" | "hybrid" | undefined;
  /** Whether only a part of the cgroup2 tree can be seen from here. */
  readonly isPart: boolean;
  /** The gateway's own place. */
  readonly own: string | undefined;
  /** Places of containers with the host's network, and what stands in the watched directories under a container's name. */
  readonly containers: readonly string[];
  /** Which of `CONTAINER_PARENTS` are there now. */
  readonly present: readonly string[];
  /** Where containers may stand among other things: see `mayHoldContainers`. */
  readonly shared: readonly string[];
  /** Whether the kernel holds back what comes from a cgroup there until somebody has looked at it: `cgroup-guard.ts`. */
  readonly isGuarded: boolean;
}

/** How host-network containers of this host are caught. */
export interface HostNetworkPlan {
  /** Undefined where the kernel can tell none of them. */
  readonly capture: HostNetworkCapture | undefined;
  /** Directories that hold containers and nothing else, whether they are there now or not. */
  readonly parents: readonly string[];
  /** Directories in which each container has a rule of its own. */
  readonly shared: readonly string[];
  /** The gateway's own place, where that is a container's or below one. */
  readonly ownContainer: string | undefined;
  /** Directories whose new entries change the plan. */
  readonly watch: readonly string[];
  /** How long a container that starts reaches the real IMDS: never, until its own rule is in, or always. */
  readonly window: "none" | "short" | "uncovered";
  /** Why, in one sentence. */
  readonly reason: string;
}

/** Where Docker (cgroupfs driver), Podman (cgroupfs) and Kubernetes (either driver) have containers and nothing else. */
export const CONTAINER_PARENTS: readonly string[] = ["docker", "libpod_parent", "kubepods", "kubepods.slice"];

/**
 * What systemd makes for other things than containers; the place of people's sessions, whose containers have no daemon on this host; and what
 * belongs to LXC's guests, who make in there what they like.
 */
const NO_PLACE = /\.(?:scope|service|mount|automount|socket|swap)$|^user\.slice$|^lxc\./;

/**
 * A step of a build: `system.slice:docker:ID` with the systemd driver, where runc takes what Docker means for systemd for a name (`newCgroupParent` in
 * moby's cmd/dockerd); and one by Podman, which has no cgroup that buildah names.
 */
const BUILD_STEP = /^(?:[\w.-]+:docker:[0-9a-z]{8,64}|(?:crun|runc)-buildah-[\w.-]{1,64}\.scope)$/;

/** Whether `text` is a path in the cgroup2 tree that the rules of every tool can hold and read alike. The root is none. */
export function isCgroupPath(text: string): boolean {
  const isSafe = /^[\w.@:-]+(?:\/[\w.@:-]+)*$/.test(text) && text.length < 512;
  return isSafe && !text.split("/").some((part) => part === "." || part === "..");
}

/** Whether `name` is that of the own cgroup directory of a container, or of a step of a build. */
export function isContainerDir(name: string): boolean {
  return containerIdOf(name) !== undefined || BUILD_STEP.test(name);
}

/** Whether a directory of this name may have containers right below it, beside other things. */
export function mayHoldContainers(name: string): boolean {
  return !NO_PLACE.test(name) && !isContainerDir(name);
}

/**
 * Decides whose sockets are caught. A place that holds containers only is caught as a whole: no container is ever outside of it. Elsewhere
 * each container has a rule of its own, as soon as its directory appears.
 */
export function hostNetworkCapture(facts: CgroupFacts): HostNetworkPlan {
  const { version, own = "" } = facts;
  if (version === undefined) return impossible(NO_TREE);
  if (version === "v1") return impossible(V1_ALONE);
  if (facts.isPart) return impossible(PART_OF_TREE);
  // An exemption counts for all below it too, so a place that the gateway itself is in, or above, cannot be caught as a whole.
  const parents = CONTAINER_PARENTS.filter((parent) => !isWithin(parent, own));
  const caughtParents = parents.filter((parent) => facts.present.includes(parent));
  const others = [...new Set(facts.containers)].filter((path) => path !== own);
  const isExempt = (path: string) => own !== "" && isWithin(path, own);
  const alone = others.filter((path) => !isExempt(path) && !caughtParents.some((parent) => isWithin(path, parent)));
  const scopes = new Set(alone.flatMap((path) => scopeOf(path) ?? []));
  const uncovered = others.filter((path) => isExempt(path) || (alone.includes(path) && scopeOf(path) === undefined));
  const caught = [...caughtParents, ...[...scopes].sort()];
  const exempt = isCgroupPath(own) && caught.some((path) => isWithin(own, path)) ? [own] : [];
  const shared = [...new Set([...facts.shared, ...[...scopes].map(directoryOf)])].filter((dir) => !parents.includes(dir));
  return {
    capture: { caught, exempt },
    parents,
    shared,
    ownContainer: own.split("/").some(isContainerDir) || parents.some((parent) => isWithin(own, parent)) ? own : undefined,
    watch: [...new Set(["", ...shared])],
    ...windowOf({ ...facts, caughtParents, scopes, uncovered }),
  };
}

const INDISTINCT = "the kernel cannot tell the sockets of host-network containers from those of the host.";
const NO_TREE = `there is no cgroup tree at /sys/fs/cgroup: ${INDISTINCT}`;
const V1_ALONE = `this host has cgroup v1 alone: ${INDISTINCT}`;
const PART_OF_TREE =
  "imdsgate has a cgroup namespace of its own, and does not see where containers live: start its container with --cgroupns host (Compose: cgroup: host).";

function impossible(reason: string): HostNetworkPlan {
  return { capture: undefined, parents: [], shared: [], ownContainer: undefined, watch: [], window: "uncovered", reason };
}

/** Whether `path` is `above` or below it. */
function isWithin(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}

/** The path of a container's own directory; undefined where it has none that the rules can hold. */
function scopeOf(path: string): string | undefined {
  if (!isCgroupPath(path)) return undefined;
  const parts = path.split("/");
  const index = parts.findIndex(isContainerDir);
  return index < 0 ? undefined : parts.slice(0, index + 1).join("/");
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

interface Coverage extends Pick<CgroupFacts, "isGuarded" | "shared"> {
  readonly caughtParents: readonly string[];
  readonly scopes: ReadonlySet<string>;
  readonly uncovered: readonly string[];
}

function windowOf({ isGuarded, shared, caughtParents, scopes, uncovered }: Coverage): Pick<HostNetworkPlan, "window" | "reason"> {
  if (uncovered.length > 0) {
    const named = uncovered.map((path) => `/${path}`).join(", ");
    return {
      window: "uncovered",
      reason: `what runs in ${named} cannot be told from the host or the gateway, and reaches the real service.`,
    };
  }
  const places = new Set([...scopes].map(directoryOf));
  if (isGuarded && [...places].every((place) => shared.includes(place))) {
    return { window: "none", reason: "what a new cgroup sends is held back until imdsgate has seen whose it is." };
  }
  if (scopes.size > 0) {
    const where = [...places].map((place) => `/${place}`).join(" and ");
    return {
      window: "short",
      reason: `containers share ${where} with services of the host, so each has a rule of its own, which goes in when its cgroup appears.`,
    };
  }
  if (caughtParents.length > 0) {
    const named = caughtParents.map((path) => `/${path}`).join(" and ");
    return { window: "none", reason: `all containers live below ${named}, and one rule catches all that is there.` };
  }
  return { window: "short", reason: "no container has run since this host started; the rule goes in when the first one's cgroup appears." };
}
