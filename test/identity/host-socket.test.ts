import { describe, expect, test } from "vitest";
import type { SocketCgroup } from "../../src/identity/attest.ts";
import { containerIdIn } from "../../src/identity/judge.ts";
import { isHostSocket } from "../../src/identity/source.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { identityOn, nameOf } from "../support/identity.ts";

/** A connection of a process of this host, which the kernel redirected: it lands on loopback, with the host's own address. */
const HOST_SOCKET = { address: "10.77.0.2", port: 40_000, local: { host: "127.0.0.1", port: 18_169 }, acceptedAt: 0 };

function withAgent(path: (id: string) => string) {
  const fake = createFakeRuntime();
  const id = fake.run({ name: "agent", networks: [], networkMode: "host" });
  fake.setCgroup("agent", path(id));
  return { fake, id };
}

function attestor(fake: FakeRuntime, cgroup: string | undefined) {
  const socketCgroup: SocketCgroup = async () => cgroup;
  return identityOn(fake, [], { socketCgroup });
}

describe("a container with the host's network", () => {
  test.for([
    { where: "in its cgroup", path: (id: string) => `docker/${id}`, socket: (id: string) => `docker/${id}` },
    { where: "in a cgroup that it made itself", path: (id: string) => `docker/${id}`, socket: (id: string) => `docker/${id}/worker` },
    {
      where: "in systemd's scope",
      path: (id: string) => `system.slice/docker-${id}.scope`,
      socket: (id: string) => `system.slice/docker-${id}.scope`,
    },
  ])("is known by a socket that was made $where", async ({ path, socket }) => {
    const { fake, id } = withAgent(path);
    const { run, identity } = attestor(fake, socket(id));
    await run();
    expect(nameOf(await identity.attest(HOST_SOCKET, "now"))).toBe("agent");
  });

  test("is asked about when the inventory does not know it yet", async () => {
    const { fake, id } = withAgent((own) => `docker/${own}`);
    const { identity, paced } = attestor(fake, `docker/${id}`);
    expect(nameOf(await paced(identity.attest(HOST_SOCKET, "hold")))).toBe("agent");
  });

  test("may keep its request waiting while it starts, and no token request", async () => {
    const { fake, id } = withAgent((own) => `docker/${own}`);
    fake.stop("agent");
    fake.beginStart("agent");
    fake.setCgroup("agent", `docker/${id}`);
    const { run, identity, settled } = attestor(fake, `docker/${id}`);
    await run();
    const held = identity.attest(HOST_SOCKET, "hold");
    expect([await settled(identity.attest(HOST_SOCKET, "now")), await settled(held)]).toEqual(["starting", undefined]);
    fake.finishStart("agent");
    expect(nameOf(await held)).toBe("agent");
  });

  test.for([
    { title: "the socket's cgroup is not the one of its process", own: "docker/elsewhere", who: "spoofed" },
    { title: "its process is in the root of the tree, which is everybody's", own: "", who: "spoofed" },
  ])("is not known where $title", async ({ own, who }) => {
    const { fake, id } = withAgent(() => own);
    const { run, identity } = attestor(fake, `docker/${id}`);
    await run();
    expect(nameOf(await identity.attest(HOST_SOCKET, "hold"))).toBe(who);
  });

  test.for([
    { title: "a process of the host", cgroup: "system.slice/sshd.service" },
    { title: "somebody whom the kernel does not name", cgroup: undefined },
  ])("is not taken for $title", async ({ cgroup }) => {
    const { fake } = withAgent((id) => `docker/${id}`);
    const { run, identity } = attestor(fake, cgroup);
    await run();
    expect(nameOf(await identity.attest(HOST_SOCKET, "hold"))).toBe("unlisted");
  });

  test("that is gone is nobody, whatever its cgroup's name says", async () => {
    const { fake, id } = withAgent((own) => `docker/${own}`);
    const { run, identity, pass } = attestor(fake, `docker/${id}`);
    await run();
    fake.stop("agent");
    fake.remove("agent");
    const held = identity.attest(HOST_SOCKET, "hold");
    await pass(5_000);
    expect(nameOf(await held)).toBe("starting");
  });
});

const ID = "0123456789abcdef".repeat(4);

test.for([
  { cgroup: `docker/${ID}`, id: ID },
  { cgroup: `system.slice/docker-${ID}.scope/init`, id: ID },
  { cgroup: `libpod_parent/libpod-${ID}`, id: ID },
  { cgroup: `docker/${"f".repeat(64)}/docker/${ID}`, id: ID },
  { cgroup: `docker/${ID}0`, id: undefined },
  { cgroup: "user.slice", id: undefined },
  { cgroup: "", id: undefined },
])("the container that $cgroup names is $id", ({ cgroup, id }) => expect(containerIdIn(cgroup)).toBe(id));

test.for([
  { address: "10.77.0.2", local: "127.0.0.1", isHost: true },
  { address: "fd77::2", local: "::1", isHost: true },
  { address: "127.0.0.2", local: "127.0.0.1", isHost: false },
  { address: "172.17.0.2", local: "172.17.0.1", isHost: false },
  { address: "::1", local: "::1", isHost: false },
])("a connection from $address that ends on $local is one of this host's sockets: $isHost", ({ address, local, isHost }) => {
  expect(isHostSocket({ address, port: 1, local: { host: local, port: 18_169 }, acceptedAt: 0 })).toBe(isHost);
});
