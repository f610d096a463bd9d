import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { containerCgroups, NO_CGROUPS } from "../../src/identity/container-cgroups.ts";

const ID = "c0ffee".padEnd(64, "0");
const OTHER = "beef".padEnd(64, "0");
const THIRD = "abba".padEnd(64, "0");

/** A tree of cgroups, by its directories; it ends with the test. */
function treeWith(directories: readonly string[], { name = "cgroup.controllers", procRoot = "/proc" } = {}) {
  const root = mkdtempSync(join(tmpdir(), "imdsgate-cgroups-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const make = (directory: string) => mkdirSync(join(root, directory), { recursive: true });
  const remove = (directory: string) => rmdirSync(join(root, directory));
  for (const directory of directories) make(directory);
  writeFileSync(join(root, name), "");
  const cgroups = containerCgroups(root, procRoot);
  onTestFinished(() => cgroups.close());
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  return { root, cgroups, make, remove, write, standing: () => [...cgroups.standing()].sort() };
}

describe("the containers that have a cgroup", () => {
  test("are found as each runtime and driver names them, right below the root and below the directories there", () => {
    const { standing } = treeWith([
      ID,
      `docker/${OTHER}/init.scope`,
      `system.slice/docker-${THIRD}.scope`,
      `machine.slice/libpod-${"1".repeat(64)}.scope/container`,
      `libpod_parent/libpod-${"2".repeat(64)}`,
      `mine/${"3".repeat(64)}`,
    ]);
    expect(standing()).toEqual(
      [
        ["1".repeat(64), `machine.slice/libpod-${"1".repeat(64)}.scope`],
        ["2".repeat(64), `libpod_parent/libpod-${"2".repeat(64)}`],
        ["3".repeat(64), `mine/${"3".repeat(64)}`],
        [THIRD, `system.slice/docker-${THIRD}.scope`],
        [OTHER, `docker/${OTHER}`],
        [ID, ID],
      ].sort(),
    );
  });

  test("are none of what is no container", () => {
    const { standing } = treeWith([
      "docker/buildkit/x",
      `docker/${ID.slice(1)}`,
      `docker/${ID.toUpperCase()}`,
      `machine.slice/libpod-conmon-${ID}.scope`,
      `libpod_parent/libpod-conmon-${OTHER}`,
      `init.scope/${THIRD}`,
    ]);
    expect(standing()).toEqual([]);
    expect([...NO_CGROUPS.standing()]).toEqual([]);
  });

  test.for([`../${ID}`, `../docker/${ID}`, "", "..", "system.slice/podman.service", `elsewhere/${ID}`])(
    "are not all known while one is not where it could be seen, in %s",
    (path) => {
      const { cgroups } = treeWith(["docker"]);
      cgroups.note(ID, `docker/${ID}`);
      expect(cgroups.isBlind()).toBe(false);
      cgroups.note(OTHER, path);
      expect([cgroups.isBlind(), NO_CGROUPS.isBlind()]).toEqual([true, false]);
      cgroups.forget(ID);
      expect(cgroups.isBlind()).toBe(true);
      cgroups.forget(OTHER);
      expect(cgroups.isBlind()).toBe(false);
    },
  );

  test("are not all known while the tree cannot be read", () => {
    const { cgroups, root } = treeWith([`docker/${ID}`]);
    expect([cgroups.standing().size, cgroups.isBlind()]).toEqual([1, false]);
    renameSync(`${root}/docker`, `${root}/aside`);
    symlinkSync("docker", `${root}/docker`);
    expect([cgroups.standing().has(ID), cgroups.isBlind()]).toEqual([true, true]);
    unlinkSync(`${root}/docker`);
    renameSync(`${root}/aside`, `${root}/docker`);
    expect([cgroups.standing().size, cgroups.isBlind()]).toEqual([1, false]);
  });

  test("are not all known where they are in more places than are looked at", () => {
    const { cgroups, make } = treeWith(Array.from({ length: 1_022 }, (_, place) => `pods/${place}`));
    cgroups.standing();
    expect(cgroups.isBlind()).toBe(false);
    make("pods/one-more");
    cgroups.standing();
    expect(cgroups.isBlind()).toBe(true);
  });

  test("are not all known while one is noted in a place that is one too many", () => {
    const { cgroups } = treeWith([...Array.from({ length: 1_022 }, (_, place) => `pods/${place}`), "a/b/c/d"]);
    cgroups.standing();
    cgroups.note(ID, `a/b/c/d/${ID}`);
    expect(cgroups.isBlind()).toBe(true);
  });

  test("are the same value as long as none came or went, and another one at once when one does", () => {
    const { cgroups, make, remove, standing } = treeWith([`docker/${ID}`]);
    const first = cgroups.standing();
    expect(cgroups.standing()).toBe(first);
    make(`docker/${OTHER}`);
    expect(standing().map(([id]) => id)).toEqual([OTHER, ID]);
    remove(`docker/${ID}`);
    expect(standing().map(([id]) => id)).toEqual([OTHER]);
    make(`other.slice/docker-${ID}.scope`);
    expect(standing()).toEqual([
      [OTHER, `docker/${OTHER}`],
      [ID, `other.slice/docker-${ID}.scope`],
    ]);
  });

  test("are read anew where one went while another came, and where the same came again", async () => {
    const { cgroups, make, remove, standing } = treeWith([`docker/${ID}`]);
    let last = cgroups.standing();
    remove(`docker/${ID}`);
    make(`docker/${OTHER}`);
    await vi.waitFor(() => expect(standing().map(([id]) => id)).toEqual([OTHER]));
    last = cgroups.standing();
    remove(`docker/${OTHER}`);
    make(`docker/${OTHER}`);
    await vi.waitFor(() => expect(cgroups.standing()).not.toBe(last));
    expect(standing().map(([id]) => id)).toEqual([OTHER]);
  });

  test("are found again where their directory was made anew", () => {
    const { make, remove, standing } = treeWith([`docker/${ID}`]);
    expect(standing().length).toBe(1);
    remove(`docker/${ID}`);
    remove("docker");
    expect(standing()).toEqual([]);
    make(`docker/${OTHER}`);
    expect(standing().map(([id]) => id)).toEqual([OTHER]);
  });

  test("are found three levels below the root, in directories that come later too, and not inside of what is no place for them", async () => {
    const { make, remove, standing } = treeWith([`pods/burstable/one/${ID}`, "a.service/b.slice", "c.slice/c-d.slice"]);
    expect(standing().map(([id]) => id)).toEqual([ID]);
    make(`a.service/b.slice/${OTHER}`);
    make(`c.slice/c-d.slice/docker-${THIRD}.scope`);
    await vi.waitFor(() => expect(standing().map(([id]) => id)).toEqual([THIRD, ID]));
    remove(`c.slice/c-d.slice/docker-${THIRD}.scope`);
    remove("c.slice/c-d.slice");
    await vi.waitFor(() => expect(standing().map(([id]) => id)).toEqual([ID]));
    make(`c.slice/c-d.slice/c-d-e.slice/docker-${OTHER}.scope`);
    await vi.waitFor(() => expect(standing().map(([id]) => id)).toEqual([OTHER, ID]));
  });

  test("are found further down beside a container that is noted there, and nowhere outside of the tree", () => {
    const deep = "kubepods/burstable/pods/one";
    const { cgroups, standing } = treeWith([`${deep}/${ID}`, `${deep}/${OTHER}`, `kubepods/burstable/pods/two/${THIRD}`]);
    expect(standing()).toEqual([]);
    for (const path of ["", deep, `../../${deep}/${THIRD}`, `${deep}/${ID}/init.scope`]) cgroups.note(path, path);
    expect(standing().map(([id]) => id)).toEqual([OTHER, ID]);
  });

  test.for([
    { tree: "systemd", controller: "name=systemd" },
    { tree: "pids", controller: "pids" },
    { tree: "unified", controller: "" },
  ])("are found on a host with cgroup v1 in $tree", ({ tree, controller }) => {
    const { cgroups, standing } = treeWith([`${tree}/docker/${ID}`], { name: `${tree}/cgroup.procs` });
    expect(standing()).toEqual([[ID, `docker/${ID}`]]);
    expect(cgroups.controller).toBe(controller);
  });

  test("are none where there is no tree", () => {
    expect([...containerCgroups("/nowhere", "/proc").standing()]).toEqual([]);
  });
});

describe("the processes of a container", () => {
  const directory = `docker/${ID}`;

  test("are those of its cgroup and of all below", () => {
    const { cgroups, write } = treeWith([`${directory}/init.scope/deep`]);
    write(`${directory}/cgroup.procs`, "7\n8\n");
    write(`${directory}/init.scope/cgroup.procs`, "");
    write(`${directory}/init.scope/deep/cgroup.procs`, "9\n");
    expect(cgroups.processesIn(directory)).toEqual([7, 8, 9]);
  });

  test("are none where the container has gone", () => {
    expect(treeWith([]).cgroups.processesIn(directory)).toEqual([]);
  });

  test.for([
    { name: "one of them is in another pid namespace", text: "7\n0\n" },
    { name: "there are more than can be looked at", text: Array.from({ length: 65 }, (_, index) => `${index + 1}\n`).join("") },
  ])("cannot be told where $name", ({ text }) => {
    const { cgroups, write } = treeWith([directory]);
    write(`${directory}/cgroup.procs`, text);
    expect(cgroups.processesIn(directory)).toBeUndefined();
  });

  test("cannot be told where they are too far down, or not ours to read", () => {
    const far = treeWith([`${directory}/a/b/c/d/e`]);
    for (const path of ["", "/a", "/a/b", "/a/b/c", "/a/b/c/d"]) far.write(`${directory}${path}/cgroup.procs`, "7\n");
    expect(far.cgroups.processesIn(directory)).toBeUndefined();
    expect(treeWith([`${directory}/cgroup.procs`]).cgroups.processesIn(directory)).toBeUndefined();
  });

  test("cannot be told by the numbers of another pid namespace", () => {
    const { cgroups, write } = treeWith([directory], { procRoot: "/nowhere" });
    write(`${directory}/cgroup.procs`, "7\n");
    expect(cgroups.processesIn(directory)).toBeUndefined();
  });
});
