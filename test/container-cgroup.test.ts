import { expect, test } from "vitest";
import { containerIdOf, pathBelow } from "../src/container-cgroup.ts";

const ID = "0123456789abcdef".repeat(4);
const LONGEST = "a".repeat(31);

test.for([
  ID,
  `docker-${ID}.scope`,
  `docker-${ID}`,
  `libpod-${ID}`,
  `libpod-${ID}.scope`,
  `libpod-payload-${ID}`,
  `crio-${ID}.scope`,
  `cri-containerd-${ID}.scope`,
  `${LONGEST}-${ID}.scope`,
])("%s is a container's own directory", (name) => {
  expect(containerIdOf(name)).toBe(ID);
});

test.for([
  "",
  "docker",
  "docker.service",
  ID.slice(1),
  `${ID}0`,
  ID.toUpperCase(),
  `-${ID}`,
  `docker-${ID}.slice`,
  `docker-${ID}.scope.d`,
  `a${LONGEST}-${ID}.scope`,
  `system.slice:docker:${ID}`,
])("%j is none", (name) => {
  expect(containerIdOf(name)).toBeUndefined();
});

test.for(["libpod-conmon-", "crio-conmon-", "conmon-"])("the monitor %s of a container is none: it is the host's own", (prefix) => {
  expect([`${prefix}${ID}`, `${prefix}${ID}.scope`].map(containerIdOf)).toEqual([undefined, undefined]);
});

test("a container whose maker is named almost like a monitor is one", () => {
  expect(containerIdOf(`myconmon-${ID}.scope`)).toBe(ID);
});

test("a path in the root of the tree begins with no slash", () => {
  expect([pathBelow("", "docker"), pathBelow("docker", ID)]).toEqual(["docker", `docker/${ID}`]);
});
