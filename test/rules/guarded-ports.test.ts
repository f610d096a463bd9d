import { describe, expect, test } from "vitest";
import { type GuardedContainer, guardableContainers } from "../../src/rules/guarded-ports.ts";
import type { HostLink } from "../../src/rules/host-links.ts";

function bridge(name: string, address: string, block: string): HostLink {
  return { name, peerIndex: undefined, peerNamespace: undefined, bridge: undefined, addresses: [{ address, block }] };
}

function veth(name: string, peerIndex: number, peerNamespace: number | undefined, on: string = "docker0"): HostLink {
  return { name, peerIndex, peerNamespace, bridge: on === "" ? undefined : on, addresses: [] };
}

function container(id: string, interfaceIndexes: readonly number[], ...addresses: readonly string[]): GuardedContainer {
  return { id, interfaceIndexes, macs: [`02:00:00:00:00:${id}`], addresses };
}

const DOCKER0 = bridge("docker0", "172.17.0.1", "172.17.0.1/16");
const OTHER = bridge("br-1", "172.18.0.1", "172.18.0.1/16");

describe("a container is guarded", () => {
  test("on the veth whose other end it has, with its bridge's own address", () => {
    const { set, located } = guardableContainers([container("0a", [7], "172.17.0.2")], [DOCKER0, veth("veth1", 7, 0)]);
    expect(set).toEqual({
      ports: [{ interfaceName: "veth1", macs: ["02:00:00:00:00:0a"], addresses: ["172.17.0.2"] }],
      hostAddresses: ["172.17.0.1"],
    });
    expect([...located]).toEqual(["0a"]);
  });

  test("on each of its veths with all of its addresses", () => {
    const links = [DOCKER0, OTHER, veth("veth1", 7, 0), veth("veth2", 9, 0, "br-1")];
    const { set } = guardableContainers([container("0a", [7, 9, 11], "172.17.0.2", "172.18.0.2")], links);
    const own = { macs: ["02:00:00:00:00:0a"], addresses: ["172.17.0.2", "172.18.0.2"] };
    expect(set).toEqual({
      ports: [
        { interfaceName: "veth1", ...own },
        { interfaceName: "veth2", ...own },
      ],
      hostAddresses: ["172.17.0.1", "172.18.0.1"],
    });
  });

  test("beside others whose interfaces have other indexes", () => {
    const links = [DOCKER0, veth("veth1", 7, 0), veth("veth2", 9, 1)];
    const { located } = guardableContainers([container("0a", [7], "172.17.0.2"), container("0b", [9], "172.17.0.3")], links);
    expect([...located]).toEqual(["0a", "0b"]);
  });
});

describe("a container is left to be proven by its sockets", () => {
  test.for([
    {
      why: "two containers have the same indexes",
      containers: [container("0a", [2], "172.17.0.2"), container("0b", [2], "172.17.0.3")],
      links: [DOCKER0, veth("veth1", 2, 0), veth("veth2", 2, 1)],
    },
    {
      why: "two containers fit one veth",
      containers: [container("0a", [2], "172.17.0.2"), container("0b", [2], "172.17.0.3")],
      links: [DOCKER0, veth("veth1", 2, 0)],
    },
    {
      why: "a namespace that no container is known of has the same index",
      containers: [container("0a", [2], "172.17.0.2")],
      links: [DOCKER0, veth("veth1", 2, 0), veth("veth2", 2, 1)],
    },
    {
      why: "one veth of that namespace does not fit",
      containers: [container("0a", [7], "172.17.0.2")],
      links: [DOCKER0, veth("veth1", 7, 0), veth("veth2", 9, 0)],
    },
    {
      why: "the veth is on a bridge of other networks, so the index is a chance",
      containers: [container("0a", [7], "10.77.0.2")],
      links: [DOCKER0, veth("veth1", 7, 0)],
    },
    { why: "the veth is on no bridge", containers: [container("0a", [7], "172.17.0.2")], links: [DOCKER0, veth("veth1", 7, 0, "")] },
    { why: "it has no veth here", containers: [container("0a", [7], "172.17.0.2")], links: [DOCKER0] },
    {
      why: "the other end is in this host's own namespace",
      containers: [container("0a", [7], "172.17.0.2")],
      links: [DOCKER0, veth("veth1", 7, undefined)],
    },
    { why: "it has no address", containers: [container("0a", [7])], links: [DOCKER0, veth("veth1", 7, 0)] },
  ])("where $why", ({ containers, links }) => {
    expect(guardableContainers(containers, links)).toEqual({ set: { ports: [], hostAddresses: [] }, located: new Set() });
  });
});
