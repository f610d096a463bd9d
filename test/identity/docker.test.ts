import { chmodSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { dockerRuntime, NOT_RUNNING } from "../../src/identity/docker.ts";
import type { RuntimeEvent } from "../../src/identity/runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { failureOf, ID, NOW, never, reply, scriptedDocker, socketPath } from "./scripted-docker.ts";

const OTHER = "beef".padEnd(64, "0");

describe("questions", () => {
  test("are GETs, and their answers are parsed", async () => {
    const answers: Record<string, unknown> = {
      "/containers/json": [{ Id: ID }],
      [NOT_RUNNING]: [
        { Id: OTHER, HostConfig: { NetworkMode: `container:${ID}` } },
        { Id: "b".repeat(64), HostConfig: {} },
      ],
      [`/containers/${ID}/json`]: { Id: ID, Name: "/web", State: { Running: true, Pid: 7 } },
      "/networks": [{ Id: "n", IPAM: { Config: [{ Subnet: "10.0.0.0/24" }] } }],
      "/networks/n": { Id: "n", Name: "back", Containers: { [ID]: { IPv4Address: "10.0.0.2/24" } } },
      "/images/sha256%3Aabc/json": { Config: { Labels: { a: "b" } } },
    };
    const { runtime, requests } = await scriptedDocker((socket, target) => socket.end(reply(200, JSON.stringify(answers[target]))));
    expect(await runtime.listContainers(never)).toEqual([ID, OTHER]);
    expect(await runtime.inspectContainer(ID, never)).toMatchObject({ name: "web", pid: 7 });
    expect(await runtime.listNetworks(never)).toEqual([{ id: "n", subnets: ["10.0.0.0/24"] }]);
    expect(await runtime.inspectNetwork("n", never)).toMatchObject({ name: "back", endpoints: new Map([[ID, ["10.0.0.2"]]]) });
    expect(await runtime.imageLabels("sha256:abc", never)).toEqual({ a: "b" });
    expect(requests).toEqual(Object.keys(answers).map((target) => `GET ${target} HTTP/1.1`));
  });

  test("about whom a container joins are answered by a list, for which a start is not waited for", async () => {
    const items = [{ Id: ID, HostConfig: { NetworkMode: `container:${OTHER}` } }];
    const { runtime, requests } = await scriptedDocker((socket) => socket.end(reply(200, JSON.stringify(items))));
    expect([await runtime.namespaceOwner(ID, never), await runtime.namespaceOwner(OTHER, never)]).toEqual([OTHER, undefined]);
    expect(requests.map((line) => decodeURIComponent(line))).toEqual([
      `GET /containers/json?all=1&filters={"id":["${ID}"]} HTTP/1.1`,
      `GET /containers/json?all=1&filters={"id":["${OTHER}"]} HTTP/1.1`,
    ]);
  });

  test("about who joins a container, or one that joins it, are answered by the list of all, running or not", async () => {
    const joining = (id: string, owner: string) => ({ Id: id, HostConfig: { NetworkMode: `container:${owner}` } });
    const [second, apart] = ["d".repeat(64), "e".repeat(64)];
    const items = [
      joining(second, ID),
      joining(ID, OTHER),
      joining(apart, "f".repeat(64)),
      { Id: OTHER, HostConfig: { NetworkMode: "bridge" } },
    ];
    const { runtime, requests } = await scriptedDocker((socket) => socket.end(reply(200, JSON.stringify(items))));
    expect(runtime.haveAllCgroups).toBe(true);
    expect(await runtime.listJoiners(OTHER, never)).toEqual([ID, second]);
    expect(requests.map((line) => decodeURIComponent(line))).toEqual(["GET /containers/json?all=1&filters={} HTTP/1.1"]);
  });

  test("about what is not there are answered with nothing; an image that is not there is a failure", async () => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(reply(404, '{"message":"no such thing"}')));
    expect([await runtime.inspectContainer(ID, never), await runtime.inspectNetwork("n", never)]).toEqual([undefined, undefined]);
    expect(await failureOf(runtime.imageLabels("x", never))).toBe(
      `RUNTIME_UNAVAILABLE: the Docker socket ${path} gave an answer of no use: it knows no image x. See whether it is Docker's API`,
    );
  });

  test.for([
    { name: "an error", bytes: reply(500, '{"message":"broken"}\n'), what: 'it answered 500 to /containers/json: {"message":"broken"}' },
    { name: "no JSON", bytes: reply(200, "<html>", "text/html"), what: "its list of containers is none" },
    { name: "JSON that is cut", bytes: reply(200, '[{"Id":"c0'), what: "its list of containers is none" },
    { name: "no list", bytes: reply(200, '{"Id":"x"}'), what: "its list of containers is none" },
  ])("answered with $name fail", async ({ bytes, what }) => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(bytes));
    expect(await failureOf(runtime.listContainers(never))).toBe(
      `RUNTIME_UNAVAILABLE: the Docker socket ${path} gave an answer of no use: ${what}. See whether it is Docker's API`,
    );
  });

  test.for([
    { name: "no HTTP", bytes: "SSH-2.0-OpenSSH_9.2\r\n" },
    { name: "half a body", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{" },
    { name: "nothing", bytes: "" },
  ])("answered with $name fail", async ({ bytes }) => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(bytes));
    expect(await failureOf(runtime.listContainers(never))).toMatch(
      new RegExp(`^RUNTIME_UNAVAILABLE: the talk with the Docker socket ${path} broke off \\(.+\\): see whether "docker ps" answers$`),
    );
  });

  test("answered without end fail", async () => {
    const { runtime } = await scriptedDocker((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(1024 * 1024, " ")));
      };
      socket.on("drain", pour);
      pour();
    });
    expect(await failureOf(runtime.listNetworks(never))).toContain("the answer is longer than 33554432 bytes");
  });

  test("that are not answered end when they are given up", async () => {
    const asked = Promise.withResolvers<void>();
    const { runtime, path } = await scriptedDocker(() => asked.resolve());
    const controller = new AbortController();
    const failure = failureOf(runtime.inspectContainer(ID, controller.signal));
    await asked.promise;
    controller.abort();
    expect(await failure).toBe(`RUNTIME_UNAVAILABLE: the Docker socket ${path} did not answer in time: see whether "docker ps" answers`);
  });

  test("to a socket that is not there say what to do", async () => {
    const path = socketPath();
    expect(await failureOf(dockerRuntime({ kind: "unix", path }, handMovedClock()).listContainers(never))).toBe(
      `RUNTIME_UNAVAILABLE: nothing answers on the Docker socket ${path}: start Docker, or name its socket with --docker-socket`,
    );
  });

  test("without permission say what to do", async () => {
    const { runtime, path } = await scriptedDocker(() => {});
    chmodSync(path, 0o000);
    const asOrdinaryUser = () => {
      const uid = process.geteuid?.();
      process.seteuid?.(65534);
      try {
        return failureOf(runtime.listContainers(never));
      } finally {
        if (uid !== undefined) process.seteuid?.(uid);
      }
    };
    // Root passes every permission; then the question is asked as another.
    const failure = process.geteuid?.() === 0 ? asOrdinaryUser() : failureOf(runtime.listContainers(never));
    expect(await failure).toBe(
      `RUNTIME_UNAVAILABLE: no permission to use the Docker socket ${path}: run imdsgate as root, put its user into the group that owns the socket (usually docker), or set a read-only socket proxy before it`,
    );
  });
});

describe("events", () => {
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
  const line = (Type: string, Action: string, id: string, Attributes = {}) =>
    `${JSON.stringify({ Type, Action, Actor: { ID: id, Attributes } })}\n`;

  async function eventsOf(script: (socket: Socket) => void) {
    const { runtime, requests, path } = await scriptedDocker(script);
    const told: (RuntimeEvent | "open")[] = [];
    const ended = runtime.watchEvents(
      () => told.push("open"),
      (event) => told.push(event),
      never,
    );
    return { told, ended, requests, path };
  }

  test("are asked for since this second, and only those that matter", async () => {
    const { ended, requests } = await eventsOf((socket) => socket.end(`${HEAD}0\r\n\r\n`));
    await ended;
    const target = new URL(requests[0]?.split(" ")[1] ?? "", "http://docker");
    expect([target.pathname, target.searchParams.get("since"), JSON.parse(target.searchParams.get("filters") ?? "")]).toEqual([
      "/events",
      String(Math.floor(NOW / 1000)),
      {
        type: ["container", "network"],
        event: ["connect", "disconnect", "create", "destroy", "remove", "init", "start", "die", "died", "rename"],
      },
    ]);
  });

  test("are told however the stream is cut, and odd lines are left out", async () => {
    const text = [
      line("network", "connect", "n", { container: ID, name: "Größe €" }),
      "not JSON\n\n",
      line("container", "start", ID, { name: "wéb" }),
      line("container", "exec_die", ID),
      line("container", "die", ID),
      '{"Type":"container","Action":"start","Actor":{"ID":"',
    ].join("");
    const { told, ended } = await eventsOf((socket) => {
      socket.write(HEAD);
      for (const byte of Buffer.from(text)) socket.write(chunk(Buffer.from([byte])));
      socket.end("0\r\n\r\n");
    });
    await ended;
    expect(told).toEqual([
      "open",
      { kind: "connected", containerId: ID, networkId: "n" },
      { kind: "started", containerId: ID },
      { kind: "died", containerId: ID },
    ]);
  });

  test("that break off in the middle are a failure", async () => {
    const { told, ended } = await eventsOf((socket) => socket.end(HEAD + chunk(Buffer.from(line("container", "start", ID))).toString()));
    expect([await failureOf(ended), told]).toEqual([
      expect.stringMatching(/^RUNTIME_UNAVAILABLE: the talk with the Docker socket .+ broke off \(aborted\)/),
      ["open", { kind: "started", containerId: ID }],
    ]);
  });

  test("that are refused never open", async () => {
    const { told, ended, path } = await eventsOf((socket) => socket.end(reply(403, "no")));
    expect([await failureOf(ended), told]).toEqual([expect.stringContaining(`the Docker socket ${path} forbids GET /events`), []]);
  });

  test("of one line that is longer than memory should hold are left out, and that line alone", async () => {
    const { told, ended } = await eventsOf((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      let megabytes = 0;
      const pour = () => {
        while (megabytes < 34 && socket.write(Buffer.alloc(1024 * 1024, "x"))) megabytes += 1;
        if (megabytes === 34) socket.end(`\n${line("container", "start", ID)}`);
        megabytes += 1;
      };
      socket.on("drain", pour);
      pour();
    });
    await ended;
    expect(told).toEqual(["open", { kind: "started", containerId: ID }]);
  });

  test("end in peace when nobody listens any more", async () => {
    const { runtime } = await scriptedDocker((socket) => socket.write(HEAD));
    const controller = new AbortController();
    const opened = Promise.withResolvers<void>();
    const ended = runtime.watchEvents(opened.resolve, () => {}, controller.signal);
    await opened.promise;
    controller.abort();
    expect(await ended).toBe(undefined);
  });
});
