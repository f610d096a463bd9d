import { existsSync, type FSWatcher, readdirSync, readFileSync, readlinkSync, statSync, watch } from "node:fs";
import { containerIdOf, pathBelow } from "../container-cgroup.ts";
import { isGone, UNREADABLE } from "./process-table.ts";

/** The cgroups of containers, as the kernel has them at this moment and before any runtime tells of them. Read only. */
export interface ContainerCgroups {
  /** In which tree it looks: cgroup2's is the empty text, else a controller of cgroup v1. */
  readonly controller: string;
  /** Takes note of where in that tree the process of the container `id` is: what is beside it is looked at from now on. */
  note(id: string, path: string): void;
  /** Takes note that the container `id` has no process any more. */
  forget(id: string): void;
  /** Whether a container that was noted is nowhere where it could have been seen from here, or a directory cannot be read: then others are not seen either. */
  isBlind(): boolean;
  /** The directory of each container that has a cgroup, by the container's id. The same value as long as none came or went. */
  standing(): ReadonlyMap<string, string>;
  /** The processes of a container in that directory; none where it is gone. Undefined where that cannot be told. */
  processesIn(directory: string): readonly number[] | undefined;
  /** Ends all watching. */
  close(): void;
}

/** Where no container's cgroup is looked for. */
export const NO_CGROUPS: ContainerCgroups = {
  controller: "",
  note: () => {},
  forget: () => {},
  isBlind: () => false,
  standing: () => new Map(),
  processesIn: () => undefined,
  close: () => {},
};

/** What systemd makes for other things than containers. */
const NO_PARENT = /\.(?:scope|service|mount|automount|socket|swap)$/;
/** The trees of a host with cgroup v1, by their directories: the first ones have all containers. */
const V1_CONTROLLERS: Readonly<Record<string, string>> = { systemd: "name=systemd", pids: "pids", memory: "memory", unified: "" };
const MOST_PARENTS = 1_024;
/** Containers are looked for in directories so far below the root. */
const DEEPEST_PARENT = 3;
const MOST_PROCESSES = 64;
const DEPTH = 4;

/**
 * Looks right below the root, below the directories there, three levels deep, and beside each container that is noted. `procRoot` is where pids
 * are looked up: the numbers in a cgroup are those of our own pid namespace, so the processes cannot be told where that /proc is another's.
 */
export function containerCgroups(root: string, procRoot: string): ContainerCgroups {
  const { base, controller } = treeAt(root);
  const parents = new Map([["", followDirectory(base, depthOf(""))]]);
  const read = new Map<string, readonly string[]>();
  let standing: ReadonlyMap<string, string> = new Map();
  const areNumbersOurs = isOurProc(procRoot);
  /** Containers that cannot be seen, and directories that cannot be read. */
  const unseen = new Set<string>();

  /** Whether `directory` is looked at. */
  function addParent(directory: string): boolean {
    if (parents.has(directory)) return true;
    if (parents.size >= MOST_PARENTS || !existsSync(`${base}/${directory}`)) return false;
    parents.set(directory, followDirectory(`${base}/${directory}`, depthOf(directory)));
    return true;
  }

  function removeParent(directory: string): void {
    parents.get(directory)?.close();
    parents.delete(directory);
    read.delete(directory);
  }

  function noteUnread(directory: string, isUnread: boolean): void {
    if (isUnread) unseen.add(`directory ${directory}`);
    else unseen.delete(`directory ${directory}`);
  }

  /** Whether something came or went below `directory`. */
  function look(directory: string, parent: FollowedDirectory): boolean {
    const names = parent.names();
    noteUnread(directory, names === UNREADABLE);
    if (names === read.get(directory) || names === UNREADABLE) return false;
    if (names === undefined) removeParent(directory);
    else read.set(directory, names);
    if (depthOf(directory) < DEEPEST_PARENT) addBelow(directory, names ?? []);
    return true;
  }

  /** Where that is more than can be looked at, nobody knows who is there. */
  function addBelow(directory: string, names: readonly string[]): void {
    const added = names.filter(mayHoldContainers).map((name) => addParent(pathBelow(directory, name)));
    noteUnread(`below ${directory}`, parents.size >= MOST_PARENTS && added.includes(false));
  }

  return {
    controller,
    note(id, path) {
      const parts = path.split("/");
      const index = parts.findLastIndex((part) => containerIdOf(part) !== undefined);
      // `..`: so a process in a cgroup namespace of its own sees what is outside of that (cgroup_namespaces(7)).
      const isSeen = index >= 0 && !parts.includes("..") && addParent(parts.slice(0, index).join("/"));
      if (isSeen) unseen.delete(id);
      else unseen.add(id);
    },
    forget: (id) => void unseen.delete(id),
    isBlind: () => unseen.size > 0,
    standing() {
      let isChanged = false;
      for (const [directory, parent] of parents) isChanged = look(directory, parent) || isChanged;
      if (isChanged) standing = new Map([...read].flatMap(([directory, names]) => names.flatMap((name) => containerAt(directory, name))));
      return standing;
    },
    processesIn: (directory) => (areNumbersOurs ? processesBelow(`${base}/${directory}`, DEPTH) : undefined),
    close() {
      for (const parent of parents.values()) parent.close();
    },
  };
}

interface FollowedDirectory {
  /** The directories right below; the same value as long as none came or went. Undefined where there is no such directory. */
  names(): Names;
  close(): void;
}

/**
 * Reads a directory again only when something has happened there. How many directories are below the kernel says at once; that one went while
 * another one came, the watcher tells. It is told before anything that the newcomer sends can be read: deep in the tree, where there are many
 * directories and few containers, it is trusted with all.
 */
function followDirectory(path: string, depth: number): FollowedDirectory {
  let seen = { ino: -1, nlink: -1 };
  let names: Names;
  let watcher: FSWatcher | undefined;
  let isChanged = false;
  const onChange = () => {
    isChanged = true;
  };
  const onEnd = () => {
    watcher?.close();
    watcher = undefined;
  };

  function follow(): void {
    watcher?.close();
    try {
      // What is told of files ("change") is how much memory somebody uses, again and again.
      watcher = watch(path, { persistent: false }, (event) => event === "rename" && onChange()).on("error", onEnd);
    } catch {
      watcher = undefined;
    }
  }

  function look(): Names {
    const found = statOf(path);
    if (found === undefined || found === UNREADABLE) return found;
    const { ino, nlink } = found;
    const isFollowed = ino === seen.ino && watcher !== undefined;
    if (isFollowed && nlink === seen.nlink && !isChanged) return names;
    if (!isFollowed) follow();
    isChanged = false;
    const listed = directoriesIn(path);
    // What could not be read is read again at the next look.
    seen = listed === UNREADABLE ? { ino, nlink: -1 } : { ino, nlink };
    names = listed;
    return names;
  }

  return {
    names() {
      const isTrusted = depth > 1 && watcher !== undefined && !isChanged && Array.isArray(names);
      return isTrusted ? names : look();
    },
    close: () => watcher?.close(),
  };
}

function mayHoldContainers(name: string): boolean {
  return !NO_PARENT.test(name) && containerIdOf(name) === undefined;
}

function containerAt(directory: string, name: string): readonly (readonly [string, string])[] {
  const id = containerIdOf(name);
  return id === undefined ? [] : [[id, pathBelow(directory, name)]];
}

/** How many levels below the root. */
function depthOf(directory: string): number {
  return directory === "" ? 0 : directory.split("/").length;
}

type Names = readonly string[] | undefined | typeof UNREADABLE;

/** Undefined where there is no such directory. */
function directoriesIn(path: string): Names {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    return isGone(error) ? undefined : UNREADABLE;
  }
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return isGone(error) ? undefined : UNREADABLE;
  }
}

function processesBelow(path: string, depth: number): readonly number[] | undefined {
  try {
    const own = readFileSync(`${path}/cgroup.procs`, "latin1").split("\n").filter(Boolean).map(Number);
    const hasMore = statSync(path).nlink > 2;
    const names = hasMore ? directoriesIn(path) : [];
    if (names === UNREADABLE) return undefined;
    const below = (names ?? []).map((name) => (depth > 0 ? processesBelow(`${path}/${name}`, depth - 1) : undefined));
    const all = [own, ...below].flatMap((found) => found ?? [0]);
    // A process of another pid namespace has the number 0 here.
    return all.length > MOST_PROCESSES || all.includes(0) ? undefined : all;
  } catch (error) {
    return isGone(error) ? [] : undefined;
  }
}

function treeAt(root: string): { readonly base: string; readonly controller: string } {
  const found = Object.entries(V1_CONTROLLERS).find(([name]) => existsSync(`${root}/${name}/cgroup.procs`));
  if (existsSync(`${root}/cgroup.controllers`) || found === undefined) return { base: root, controller: "" };
  const [name, controller] = found;
  return { base: `${root}/${name}`, controller };
}

/** Whether the pids in that /proc are those of our own pid namespace. */
function isOurProc(procRoot: string): boolean {
  try {
    return readlinkSync(`${procRoot}/self`) === String(process.pid);
  } catch {
    return false;
  }
}
