import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { dockerRuntime } from "../../src/identity/docker.ts";
import type { RuntimeEvent } from "../../src/identity/runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const ID = "c0ffee".padEnd(64, "0");
const NOW = Date.UTC(2026, 10, 24, 2, 0, 0, 900);
const never = new AbortController().signal;

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "docker-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "docker.sock");
}

/** A Docker daemon that answers as it is told, byte for byte; gives the runtime on it and the request lines it saw. */
async function scriptedDocker(script: (socket: Socket, target: string) => void) {
  const path = socketPath();
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      const [line = ""] = bytes.toString("latin1").split("\r\n");
      requests.push(line);
      script(socket, line.split(" ")[1] ?? "");
    });
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { runtime: dockerRuntime(path, handMovedClock(NOW)), path, requests };
}

function reply(status: number, body: string, type = "application/json"): string {
  return `HTTP/1.1 ${status} X\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  return error instanceof ImdsgateError ? `${error.code}: ${error.message}` : `no failure: ${JSON.stringify(error)}`;
}

describe("questions", () => {
  test("are GETs without an API version, and their answers are parsed", async () => {
    const answers: Record<string, unknown> = {
      "/containers/json": [{ Id: ID }],
      [`/containers/${ID}/json`]: { Id: ID, Name: "/web", State: { Running: true, Pid: 7 } },
      "/networks": [{ Id: "n", IPAM: { Config: [{ Subnet: "10.0.0.0/24" }] } }],
      "/networks/n": { Id: "n", Name: "back", Containers: { [ID]: { IPv4Address: "10.0.0.2/24" } } },
      "/images/sha256%3Aabc/json": { Config: { Labels: { a: "b" } } },
    };
    const { runtime, requests } = await scriptedDocker((socket, target) => socket.end(reply(200, JSON.stringify(answers[target]))));
    expect(await runtime.listContainers(never)).toEqual([ID]);
    expect(await runtime.inspectContainer(ID, never)).toMatchObject({ name: "web", pid: 7 });
    expect(await runtime.listNetworks(never)).toEqual([{ id: "n", subnets: ["10.0.0.0/24"] }]);
    expect(await runtime.inspectNetwork("n", never)).toMatchObject({ name: "back", endpoints: new Map([[ID, ["10.0.0.2"]]]) });
    expect(await runtime.imageLabels("sha256:abc", never)).toEqual({ a: "b" });
    expect(requests).toEqual(Object.keys(answers).map((target) => `GET ${target} HTTP/1.1`));
  });

  test("about what is not there are answered with nothing; an image that is not there is a failure", async () => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(reply(404, '{"message":"no such thing"}')));
    expect([await runtime.inspectContainer(ID, never), await runtime.inspectNetwork("n", never)]).toEqual([undefined, undefined]);
    expect(await failureOf(runtime.imageLabels("x", never))).toBe(
      `RUNTIME_UNAVAILABLE: Docker's answer on ${path} is of no use: it knows no image x. See whether it is a Docker socket`,
    );
  });

  test.for([
    { name: "an error", bytes: reply(500, '{"message":"broken"}\n'), what: 'it answered 500 to /containers/json: {"message":"broken"}' },
    {
      name: "a refused version",
      bytes: reply(400, "client version 1.24 is too old"),
      what: "it answered 400 to /containers/json: client version 1.24 is too old",
    },
    { name: "no JSON", bytes: reply(200, "<html>", "text/html"), what: "its answer to /containers/json is not JSON" },
    { name: "JSON that is cut", bytes: reply(200, '[{"Id":"c0'), what: "its answer to /containers/json is not JSON" },
    { name: "no list", bytes: reply(200, '{"Id":"x"}'), what: "its list of containers is none" },
  ])("answered with $name fail", async ({ bytes, what }) => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(bytes));
    expect(await failureOf(runtime.listContainers(never))).toBe(
      `RUNTIME_UNAVAILABLE: Docker's answer on ${path} is of no use: ${what}. See whether it is a Docker socket`,
    );
  });

  test.for([
    { name: "no HTTP", bytes: "SSH-2.0-OpenSSH_9.2\r\n" },
    { name: "half a body", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{" },
    { name: "nothing", bytes: "" },
  ])("answered with $name fail", async ({ bytes }) => {
    const { runtime, path } = await scriptedDocker((socket) => socket.end(bytes));
    expect(await failureOf(runtime.listContainers(never))).toMatch(
      new RegExp(`^RUNTIME_UNAVAILABLE: the talk with Docker on ${path} broke off \\(.+\\): see whether "docker ps" answers$`),
    );
  });

  test("answered without end fail at 32 MiB", async () => {
    const { runtime } = await scriptedDocker((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(1024 * 1024, " ")));
      };
      socket.on("drain", pour);
      pour();
    });
    expect(await failureOf(runtime.listContainers(never))).toContain("the answer is longer than 33554432 bytes");
  });

  test("that are not answered end when they are given up", async () => {
    const asked = Promise.withResolvers<void>();
    const { runtime, path } = await scriptedDocker(() => asked.resolve());
    const controller = new AbortController();
    const failure = failureOf(runtime.inspectContainer(ID, controller.signal));
    await asked.promise;
    controller.abort();
    expect(await failure).toBe(`RUNTIME_UNAVAILABLE: Docker did not answer on ${path} in time: see whether "docker ps" answers`);
  });

  test("to a socket that is not there say what to do", async () => {
    const path = socketPath();
    expect(await failureOf(dockerRuntime(path, handMovedClock()).listContainers(never))).toBe(
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
      `RUNTIME_UNAVAILABLE: no permission to use the Docker socket ${path}: run imdsgate as root, or in the group that owns the socket`,
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
      expect.stringMatching(/^RUNTIME_UNAVAILABLE: the talk with Docker on .+ broke off \(aborted\)/),
      ["open", { kind: "started", containerId: ID }],
    ]);
  });

  test("that are refused never open", async () => {
    const { told, ended, path } = await eventsOf((socket) => socket.end(reply(403, "no")));
    expect([await failureOf(ended), told]).toEqual([
      expect.stringContaining(`Docker's answer on ${path} is of no use: it answered 403 to /events`),
      [],
    ]);
  });

  test("of one line without end are a failure", async () => {
    const { ended } = await eventsOf((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(1024 * 1024, "x")));
      };
      socket.on("drain", pour);
      pour();
    });
    expect(await failureOf(ended)).toContain("an event is longer than 33554432 characters");
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
