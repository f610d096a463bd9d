import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const PREFIX = "imdsgate-test-";
const TRIES = 200;

/** Makes a cgroup for one Docker host, named after this process, and removes those whose process is gone. Gives its folder. */
export async function makeCgroup(name: string): Promise<string> {
  await removeDeadCgroups();
  const folder = join(cgroup2Mount(), `${PREFIX}${process.pid}-${name}`);
  mkdirSync(folder);
  return folder;
}

/** Removes the cgroups of ours whose process was killed before it could do so. */
export async function removeDeadCgroups(): Promise<void> {
  const mount = cgroup2Mount();
  for (const entry of readdirSync(mount)) if (entry.startsWith(PREFIX) && !isAlive(entry)) await removeCgroup(join(mount, entry));
}

/** Ends what still runs in a cgroup of ours and removes it with all below it. */
export async function removeCgroup(folder: string): Promise<void> {
  for (let tries = 0; existsSync(folder); tries += 1) {
    try {
      writeFileSync(join(folder, "cgroup.kill"), "1");
      removeTree(folder);
    } catch (error) {
      // The kernel empties a cgroup a moment after its last process was killed. Or another test file has removed it meanwhile.
      if (tries === TRIES) throw new Error(`cannot remove ${folder}`, { cause: error });
      await delay(20);
    }
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(folder, entry.name));
  rmdirSync(folder);
}

function isAlive(entry: string): boolean {
  try {
    // a process that nobody has waited for yet is dead too
    return !/\) [ZX] /.test(readFileSync(`/proc/${entry.slice(PREFIX.length).split("-")[0]}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function cgroup2Mount(): string {
  const line = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .find((mount) => mount.split(" ")[2] === "cgroup2");
  const folder = line?.split(" ")[1];
  if (folder === undefined) throw new Error("this machine has no cgroup2 mount");
  return folder;
}
