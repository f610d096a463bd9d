import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imagePath, parseContainer, parseEvent, parseImageLabels, parseNetwork, parseNetworks } from "../../src/identity/docker-answers.ts";

const ID = "c0ffee".padEnd(64, "0");
const OTHER = "beef".padEnd(64, "0");

const CONTAINER = {
  Id: ID,
  Name: "/shop-web-1",
  Image: "sha256:abc",
  State: { Status: "running", Running: true, Paused: false, Pid: 4242, StartedAt: "2026-11-24T02:00:00.123456789Z" },
  Config: { Image: "shop/web:2", Env: ["DB_PASSWORD=secret"], Labels: { "com.docker.compose.service": "web" } },
  HostConfig: { NetworkMode: "shop_default" },
  NetworkSettings: {
    IPAddress: "",
    Networks: {
      shop_default: { NetworkID: "n1", IPAddress: "172.18.0.2", GlobalIPv6Address: "FD88:0:0::2", MacAddress: "02:42:AC:12:00:02" },
      stopped: { NetworkID: "n2", IPAddress: "", GlobalIPv6Address: "", MacAddress: "" },
    },
  },
};

const PARSED = {
  id: ID,
  name: "shop-web-1",
  image: "shop/web:2",
  imageId: "sha256:abc",
  labels: { "com.docker.compose.service": "web" },
  isRunning: true,
  pid: 4242,
  startedAt: "2026-11-24T02:00:00.123456789Z",
  networks: [
    { name: "shop_default", id: "n1", addresses: ["172.18.0.2", "fd88::2"], mac: "02:42:ac:12:00:02" },
    { name: "stopped", id: "n2", addresses: [], mac: undefined },
  ],
  networkMode: "shop_default",
};

describe("a container", () => {
  test("is reduced to what identity needs: its environment is not kept", () => expect(parseContainer(ID, CONTAINER)).toEqual(PARSED));

  test.for([
    { name: "no networks", change: { NetworkSettings: {} }, parsed: { networks: [] } },
    { name: "networks that are null (Podman, host network)", change: { NetworkSettings: { Networks: null } }, parsed: { networks: [] } },
    { name: "no network settings", change: { NetworkSettings: undefined }, parsed: { networks: [] } },
    {
      name: "a network that is null",
      change: { NetworkSettings: { Networks: { a: null } } },
      parsed: { networks: [{ name: "a", id: "a", addresses: [], mac: undefined }] },
    },
    {
      name: "addresses that are none",
      change: { NetworkSettings: { Networks: { a: { NetworkID: 7, IPAddress: "localhost", GlobalIPv6Address: 6, MacAddress: 2 } } } },
      parsed: { networks: [{ name: "a", id: "a", addresses: [], mac: undefined }] },
    },
    { name: "labels that are null", change: { Config: { ...CONTAINER.Config, Labels: null } }, parsed: { labels: {} } },
    { name: "labels that are a list", change: { Config: { ...CONTAINER.Config, Labels: ["a=b"] } }, parsed: { labels: {} } },
    {
      name: "labels that are no text",
      change: { Config: { ...CONTAINER.Config, Labels: { a: 1, b: null, c: "d" } } },
      parsed: { labels: { c: "d" } },
    },
    { name: "no state", change: { State: null }, parsed: { isRunning: false, pid: undefined, startedAt: "" } },
    {
      name: "a state between two starts",
      change: { State: { Running: true, Restarting: true, Pid: 0 } },
      parsed: { pid: undefined, startedAt: "" },
    },
    { name: "a pid that is none", change: { State: { Running: true, Pid: "1" } }, parsed: { pid: undefined, startedAt: "" } },
    { name: "a pid that is negative", change: { State: { Running: true, Pid: -1 } }, parsed: { pid: undefined, startedAt: "" } },
    { name: "running as text", change: { State: { Running: "false", Pid: 7 } }, parsed: { isRunning: false, pid: 7, startedAt: "" } },
    { name: "no name", change: { Name: undefined }, parsed: { name: ID.slice(0, 12) } },
    { name: "no image id", change: { Image: null }, parsed: { imageId: undefined } },
    { name: "an image id that is no text", change: { Image: 7 }, parsed: { imageId: undefined } },
    {
      name: "an image of several platforms",
      change: { ImageManifestDescriptor: { digest: "sha256:def", platform: { architecture: "arm64", os: "linux", variant: "v8" } } },
      parsed: { imageId: 'sha256:abc {"os":"linux","architecture":"arm64","variant":"v8"}' },
    },
    { name: "a manifest that says no platform", change: { ImageManifestDescriptor: { digest: "sha256:def" } }, parsed: {} },
    { name: "a name in Arabic", change: { Name: "/\u202eخدمة-ويب" }, parsed: { name: "\u202eخدمة-ويب" } },
    { name: "a name that is a number", change: { Name: 7 }, parsed: { name: ID.slice(0, 12) } },
    { name: "a start that is a number", change: { State: { ...CONTAINER.State, StartedAt: 7 } }, parsed: { startedAt: "" } },
    { name: "a pid with a fraction", change: { State: { ...CONTAINER.State, Pid: 1.5 } }, parsed: { pid: undefined } },
    {
      name: "a link address that is none",
      change: { NetworkSettings: { Networks: { a: { MacAddress: "02:42:ac:12:00" } } } },
      parsed: { networks: [{ name: "a", id: "a", addresses: [], mac: undefined }] },
    },
    {
      name: "another's network",
      change: { HostConfig: { NetworkMode: `container:${OTHER}` } },
      parsed: { networkMode: `container:${OTHER}` },
    },
  ] as readonly { name: string; change: object; parsed: object }[])("with $name changes that alone", ({ change, parsed }) =>
    expect(parseContainer(ID, { ...CONTAINER, ...change })).toEqual({ ...PARSED, ...parsed }),
  );

  test("with ten megabytes of labels keeps them", () => {
    const Labels = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`label-${n}`, "x".repeat(1000)]));
    expect(parseContainer(ID, { ...CONTAINER, Config: { ...CONTAINER.Config, Labels } })?.labels).toEqual(Labels);
  });

  test("with labels of JavaScript's own names has those labels", () => {
    const Labels: unknown = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const labels = parseContainer(ID, { ...CONTAINER, Config: { Labels } })?.labels ?? {};
    expect(Object.entries(labels)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  test("that is another is none", () =>
    expect([parseContainer(OTHER, CONTAINER), parseContainer(ID, null)]).toEqual([undefined, undefined]));
});

test("a network has its containers' addresses, without Swarm's own endpoints", () => {
  const answer = {
    Id: "gw",
    Name: "docker_gwbridge",
    Driver: "bridge",
    IPAM: { Config: [{ Subnet: "172.18.0.0/16", Gateway: "172.18.0.1" }, { Subnet: "" }, null] },
    Containers: {
      [ID]: { Name: "gateway_1", IPv4Address: "172.18.0.3/16", IPv6Address: "fd88::3/64", MacAddress: "02:42:ac:12:00:03" },
      [OTHER]: null,
      "ingress-sbox": { IPv4Address: "172.18.0.2/16" },
    },
  };
  const endpoints = new Map([
    [ID, ["172.18.0.3", "fd88::3"]],
    [OTHER, []],
  ]);
  expect(parseNetwork("gw", answer)).toEqual({
    id: "gw",
    name: "docker_gwbridge",
    driver: "bridge",
    subnets: ["172.18.0.0/16"],
    endpoints,
    macs: new Map([[ID, "02:42:ac:12:00:03"]]),
  });
  expect(parseNetwork("gw", { Id: "gw", IPAM: { Config: null }, Containers: null })).toEqual({
    id: "gw",
    name: "gw",
    driver: "",
    subnets: [],
    endpoints: new Map(),
    macs: new Map(),
  });
  expect(parseNetwork("other", answer)).toBe(undefined);
});

test("a list of networks is their subnets, each network once", () => {
  const answer = [{ Id: "a", IPAM: { Config: [{ Subnet: "10.0.0.0/24" }] } }, { Id: "host", IPAM: { Config: null } }, null, { Id: "host" }];
  const networks = [
    { id: "a", subnets: ["10.0.0.0/24"] },
    { id: "host", subnets: [] },
  ];
  expect([parseNetworks(answer), parseNetworks({})]).toEqual([networks, undefined]);
});

test("an image has its labels, or none; an answer that is no image says nothing", () => {
  expect([parseImageLabels({ Config: { Labels: { a: "b" } } }), parseImageLabels({ Config: null }), parseImageLabels([])]).toEqual([
    { a: "b" },
    {},
    undefined,
  ]);
});

test("an image is asked for by its id, and by its platform where it has several", () => {
  expect(["sha256:abc", 'sha256:abc {"os":"linux","architecture":"arm64"}'].map(imagePath)).toEqual([
    "/images/sha256%3Aabc/json",
    "/images/sha256%3Aabc/json?platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D",
  ]);
});

describe("an event", () => {
  const event = (Type: string, Action: string, ID: string, Attributes = {}) =>
    JSON.stringify({ Type, Action, Actor: { ID, Attributes }, time: 1 });
  test.for([
    { line: event("network", "connect", "n", { container: ID }), parsed: { kind: "connected", containerId: ID, networkId: "n" } },
    { line: event("network", "disconnect", "n", { container: ID }), parsed: { kind: "disconnected", containerId: ID, networkId: "n" } },
    { line: event("network", "connect", "n", { container: "ingress-sbox" }), parsed: undefined },
    { line: event("network", "connect", "n"), parsed: undefined },
    { line: event("network", "create", "n"), parsed: { kind: "network-changed", networkId: "n" } },
    { line: event("network", "destroy", "n"), parsed: { kind: "network-changed", networkId: "n" } },
    { line: event("container", "start", ID), parsed: { kind: "started", containerId: ID } },
    { line: event("container", "init", ID), parsed: { kind: "started", containerId: ID } },
    { line: event("container", "die", ID), parsed: { kind: "died", containerId: ID } },
    { line: event("container", "destroy", ID), parsed: { kind: "died", containerId: ID } },
    { line: event("container", "rename", ID), parsed: { kind: "renamed", containerId: ID } },
    { line: event("container", "exec_start: sh", ID), parsed: undefined },
    { line: event("container", "start", "web"), parsed: undefined },
    { line: event("image", "pull", "x"), parsed: undefined },
    { line: '{"Type":"container","Action":"start"}', parsed: undefined },
    { line: '{"Type":"contai', parsed: undefined },
    { line: "null", parsed: undefined },
    { line: "", parsed: undefined },
  ])("$line", ({ line, parsed }) => expect(parseEvent(line)).toEqual(parsed));
});

test("no answer at all makes a parser throw", () => {
  const any = fc.oneof(
    fc.jsonValue(),
    fc.record({
      Id: fc.constant(ID),
      Config: fc.jsonValue(),
      State: fc.jsonValue(),
      NetworkSettings: fc.jsonValue(),
      IPAM: fc.jsonValue(),
      Containers: fc.jsonValue(),
    }),
  );
  fc.assert(
    fc.property(any, (answer) => {
      for (const parse of [parseNetworks, parseImageLabels]) parse(answer);
      parseContainer(ID, answer);
      parseNetwork(ID, answer);
      parseEvent(JSON.stringify(answer));
    }),
    { numRuns: 1000 },
  );
});
