import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";

/** A folder like /sys/fs/cgroup, with these folders and files in it. */
function rootWith(folders: readonly string[], files: readonly string[] = []): string {
  const root = mkdtempSync(join(tmpdir(), "imdsgate-cgroup-tree-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  for (const file of files) writeFileSync(join(root, file), "");
  return root;
}

test("a cgroup2 tree is told by its own file, at the root or beside the trees of v1", () => {
  expect(cgroupTree({ root: rootWith(["docker/a", "docker/b"], ["cgroup.controllers"]) }).version).toBe("v2");
  expect(cgroupTree({ root: rootWith(["memory", "unified"], ["unified/cgroup.controllers"]) }).version).toBe("hybrid");
  expect(cgroupTree({ root: rootWith(["memory", "unified"]) }).version).toBe("v1");
  expect(cgroupTree({ root: rootWith([]) }).version).toBeUndefined();
  expect(cgroupTree({ root: join(rootWith([]), "none") }).version).toBeUndefined();
});

test("paths are in the cgroup2 tree, wherever it is mounted", () => {
  const both = ["cgroup.controllers", "docker/cgroup.procs"];
  for (const [root, version] of [
    [rootWith(["docker/b", "docker/a"], both), "v2"],
    [
      rootWith(
        ["docker/v1", "unified/docker/b", "unified/docker/a"],
        both.map((file) => `unified/${file}`),
      ),
      "hybrid",
    ],
  ] as const) {
    const tree = cgroupTree({ root });
    expect(tree.version).toBe(version);
    expect(tree.children("docker")).toEqual(["a", "b"]);
    expect(tree.children("none")).toEqual([]);
    expect(tree.idOf("docker/a")).toMatch(/^\d+$/);
    expect(tree.idOf("docker/a")).not.toBe(tree.idOf("docker/b"));
    expect([tree.idOf("docker/c"), tree.idOf("docker/cgroup.procs")]).toEqual([undefined, undefined]);
  }
});

test("a number is found below the places that are looked at, as far down as containers make cgroups", () => {
  const tree = cgroupTree({ root: rootWith(["docker/a/init/app/deep", "system.slice/b"], ["cgroup.controllers"]) });
  const found = (path: string) => tree.pathOf(tree.idOf(path) ?? "", ["gone", "docker"]);
  expect(["docker", "docker/a", "docker/a/init/app", "docker/a/init/app/deep", "system.slice/b"].map(found)).toEqual([
    "docker",
    "docker/a",
    "docker/a/init/app",
    undefined,
    undefined,
  ]);
});

test("the trees of v1 have no such paths", () => {
  const tree = cgroupTree({ root: rootWith(["docker/a"]) });
  expect([tree.version, tree.idOf("docker"), tree.children("docker")]).toEqual(["v1", undefined, []]);
});

test("a directory is heard of when something appears in it; one that is not there is not watched", async () => {
  const root = rootWith(["docker"], ["cgroup.controllers"]);
  const tree = cgroupTree({ root });
  const heard = Promise.withResolvers<void>();
  const watcher = tree.watch("docker", heard.resolve);
  onTestFinished(() => watcher?.close());
  mkdirSync(join(root, "docker/a"));
  await heard.promise;
  expect(tree.watch("none", () => {})).toBeUndefined();
});

test.for([
  { where: "the host", first: "0::/init.scope\n", files: [], isPart: false },
  { where: "a host without systemd", first: "0::/\n", files: [], isPart: false },
  { where: "a host that is a container", first: "12:pids:/x\n0::/init.scope\n", files: ["cgroup.type"], isPart: false },
  { where: "a container", first: "0::/\n", files: ["cgroup.type"], isPart: true },
  { where: "a container that sees the host's processes", first: "0::/../../init.scope\n", files: ["cgroup.type"], isPart: true },
  { where: "a place from where nobody may look", first: undefined, files: ["cgroup.type"], isPart: false },
])("whether the tree is whole, in $where", ({ first, files, isPart }) => {
  const root = rootWith(["docker"], ["cgroup.controllers", ...files]);
  const procRoot = rootWith(["1"]);
  if (first !== undefined) writeFileSync(join(procRoot, "1/cgroup"), first);
  expect(cgroupTree({ root, procRoot }).isPart).toBe(isPart);
});
