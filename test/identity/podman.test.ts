import { expect, test } from "vitest";
import { parseContainer, parseEvent } from "../../src/identity/docker-answers.ts";
import { podmanRuntime } from "../../src/identity/podman.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { never, reply, scriptedDocker } from "./scripted-docker.ts";

const ID = "65c3305ba12164c09ee6b28d307d00acd2a6a33072d9ea000bacb9ef19d49cc7";

test("Podman is called by its name", () => {
  expect(podmanRuntime({ kind: "unix", path: "/run/podman/podman.sock" }, handMovedClock()).name).toBe("podman");
});

test("its absence is told in its own words", async () => {
  const podman = podmanRuntime({ kind: "unix", path: "/nowhere/podman.sock" }, handMovedClock());
  await expect(podman.listContainers(new AbortController().signal)).rejects.toThrow(
    "nothing answers on the Podman socket /nowhere/podman.sock: start Podman's API (systemctl start podman.socket), or name its socket with --docker-socket",
  );
});

test.for([
  { type: "container", action: "init", kind: "started" },
  { type: "container", action: "died", kind: "died" },
  { type: "container", action: "remove", kind: "died" },
  { type: "container", action: "rename", kind: "renamed" },
  // the id is the container's here too, and no network is named
  { type: "network", action: "connect", kind: "renamed" },
  { type: "network", action: "disconnect", kind: "renamed" },
])("its event $type $action makes the container be asked about", ({ type, action, kind }) => {
  const actor = { ID, Attributes: { containerExitCode: "0", image: "", name: "web", podId: "" } };
  expect(parseEvent(JSON.stringify({ status: action, id: ID, Type: type, Action: action, Actor: actor }))).toEqual({
    kind,
    containerId: ID,
  });
});

test("its container on the host's network is on no network", () => {
  const answer = {
    Id: ID,
    Name: "/web",
    State: { Running: true, Pid: 42 },
    NetworkSettings: { Networks: null },
    HostConfig: { NetworkMode: "host" },
  };
  expect(parseContainer(ID, answer)).toMatchObject({ name: "web", pid: 42, networks: [], networkMode: "host" });
});

test("whom its container joins is asked by an inspection, since its list says that all have the host's network", async () => {
  const answer = { Id: ID, HostConfig: { NetworkMode: "container:owner" } };
  const { path, requests } = await scriptedDocker((socket) => socket.end(reply(200, JSON.stringify(answer))));
  const podman = podmanRuntime({ kind: "unix", path }, handMovedClock());
  expect(await podman.namespaceOwner(ID, never)).toBe("owner");
  expect(requests).toEqual([`GET /containers/${ID}/json HTTP/1.1`]);
});

test("a container may have no cgroup of its own; who joins one, or one that joins it, is asked by a filter, running or not", async () => {
  const second = "d".repeat(64);
  const asked = (...owners: readonly string[]) =>
    `filters=${encodeURIComponent(JSON.stringify({ network: owners.map((id) => `container:${id}`) }))}`;
  const answers: Readonly<Record<string, readonly string[]>> = { [asked("owner")]: [ID], [asked(ID)]: [second], [asked(second)]: [] };
  const { path, requests } = await scriptedDocker((socket, target) =>
    socket.end(reply(200, JSON.stringify(answers[target.split("&")[1] ?? ""]?.map((id) => ({ Id: id }))))),
  );
  const podman = podmanRuntime({ kind: "unix", path }, handMovedClock());
  expect(podman.haveAllCgroups).toBe(false);
  expect(await podman.listJoiners("owner", never)).toEqual([ID, second]);
  expect(requests).toEqual(Object.keys(answers).map((filters) => `GET /containers/json?all=1&${filters} HTTP/1.1`));
});
