import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Where a runtime would have its containers: in the only tree of cgroups, or in the one of cgroup v1 that is looked at first. */
const ROOT = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/systemd";
const PARENT = `${ROOT}/imdsgate-bench-${process.pid}`;

/**
 * Puts a process into a cgroup that is named by its container, as a runtime does: without one, imdsgate asks the runtime at each connection
 * who else is there. Nothing where this machine does not allow that. It goes with `owner`.
 */
export function placeInCgroup(id: string, pid: number, owner: AsyncDisposableStack): void {
  const directory = `${PARENT}/${id}`;
  try {
    mkdirSync(directory, { recursive: true });
  } catch {
    return;
  }
  owner.defer(() => leaveCgroup(directory, pid));
  writeFileSync(`${directory}/cgroup.procs`, `${pid}`);
}

function leaveCgroup(directory: string, pid: number): void {
  try {
    writeFileSync(`${ROOT}/cgroup.procs`, `${pid}`);
  } catch {
    // It has ended, and has left by that.
  }
  for (const one of [directory, dirname(directory)]) {
    try {
      rmdirSync(one);
    } catch {
      // Another one is still in it, who is the last then.
    }
  }
}
