import { request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createIdentity } from "../../src/identity/attestor.ts";
import { dockerRuntime } from "../../src/identity/docker.ts";
import type { RuntimeEvent } from "../../src/identity/runtime.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { PLAIN_IDENTITY } from "../support/identity.ts";
import { failureOf, ID, never, socketPath } from "./scripted-docker.ts";

const NETWORK = "cafe".padEnd(64, "0");
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/_ping": "OK",
  "/containers/json": [{ Id: ID }],
  [`/containers/${ID}/json`]: {
    Id: ID,
    Name: "/web",
    Image: "sha256:abc",
    State: { Running: true, Pid: 42 },
    Config: { Labels: { team: "shop" } },
  },
  "/networks": [{ Id: NETWORK, IPAM: { Config: [{ Subnet: "10.0.0.0/24" }] } }],
  [`/networks/${NETWORK}`]: { Id: NETWORK, Name: "back", Containers: { [ID]: { IPv4Address: "10.0.0.2/24" } } },
  "/images/sha256%3Aabc/json": { Config: { Labels: { team: "nobody" } } },
};

async function listening(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const path = socketPath();
  const server = createServer(handler);
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return path;
}

/** A daemon behind a proxy that lets GET of `sections` through and answers 403 to all else, as the usual socket proxies do. */
async function filteredDocker(sections: readonly string[]) {
  const reached: string[] = [];
  const forbidden: string[] = [];
  const docker = await listening((request, response) => {
    reached.push(`${request.method} ${request.url?.split("?")[0]}`);
    const path = (request.url ?? "").replace(/^\/v1\.41/, "").split("?")[0] ?? "";
    response.setHeader("Api-Version", "1.41");
    if (path === "/events") return void response.write(`${JSON.stringify({ Type: "container", Action: "start", Actor: { ID } })}\n`);
    response.statusCode = path in ANSWERS ? 200 : 404;
    response.end(JSON.stringify(ANSWERS[path] ?? { message: "page not found" }));
  });
  const allowed = new RegExp(`^(/v[\\d.]+)?/(${sections.join("|")})`);
  const path = await listening((request, response) => {
    if (request.method !== "GET" || !allowed.test(request.url ?? "")) {
      forbidden.push(`${request.method} ${request.url?.split("?")[0]}`);
      response.writeHead(403, { "Content-Type": "text/html" });
      return void response.end("<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n");
    }
    const onward = ask({ socketPath: docker, path: request.url, method: "GET", headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    response.on("close", () => onward.destroy());
    onward.on("error", () => response.destroy());
    onward.end();
  });
  const runtime = dockerRuntime({ kind: "unix", path }, handMovedClock());
  return { runtime, path, reached, forbidden };
}

const ALL = ["_ping", "version", "containers", "networks", "images", "events"];

test("all that imdsgate asks of Docker is GET, of five sections, and goes through a proxy that lets nothing else pass", async () => {
  const { runtime, reached, forbidden } = await filteredDocker(ALL);
  const ending = new AbortController();
  const told: RuntimeEvent[] = [];
  const ended = runtime.watchEvents(
    () => {},
    (event) => void (told.push(event) && ending.abort()),
    ending.signal,
  );
  await ended;
  await runtime.listContainers(never);
  await runtime.inspectContainer(ID, never);
  await runtime.listNetworks(never);
  await runtime.inspectNetwork(NETWORK, never);
  await runtime.imageLabels("sha256:abc", never);
  expect([told, forbidden]).toEqual([[{ kind: "started", containerId: ID }], []]);
  expect(reached).toEqual([
    "GET /_ping",
    "GET /v1.41/events",
    "GET /v1.41/containers/json",
    "GET /v1.41/containers/json",
    `GET /v1.41/containers/${ID}/json`,
    "GET /v1.41/networks",
    `GET /v1.41/networks/${NETWORK}`,
    "GET /v1.41/images/sha256%3Aabc/json",
  ]);
});

test("a proxy that keeps /_ping back is asked without a version", async () => {
  const { runtime, reached, forbidden } = await filteredDocker(ALL.slice(1));
  expect(await runtime.listContainers(never)).toEqual([ID]);
  expect([reached, forbidden]).toEqual([["GET /containers/json", "GET /containers/json"], ["GET /_ping"]]);
});

describe("a proxy that keeps back", () => {
  const SECTIONS = [
    { section: "containers", call: "/containers/json" },
    { section: "networks", call: "/networks" },
    { section: "events", call: "/events" },
  ];
  test.for(SECTIONS)("$section is told what to let through", async ({ section, call }) => {
    const { runtime, path } = await filteredDocker(ALL.filter((one) => one !== section));
    const calls = {
      containers: () => runtime.listContainers(never),
      networks: () => runtime.listNetworks(never),
      events: () =>
        runtime.watchEvents(
          () => {},
          () => {},
          never,
        ),
    };
    const failure = await failureOf(Object.entries(calls).find(([name]) => name === section)?.[1]() ?? Promise.resolve());
    expect(failure.replace(/\?\S+:/, ":")).toBe(
      `RUNTIME_UNAVAILABLE: the Docker socket ${path} forbids GET ${call}: a proxy before it has to let GET of /_ping, /containers, /networks, /images and /events through`,
    );
  });

  test("images is told so once, and its containers with labels get no name", async () => {
    const { runtime, path } = await filteredDocker(ALL.filter((one) => one !== "images"));
    const clock = handMovedClock();
    const events: ImdsgateEvent[] = [];
    const ending = new AbortController();
    onTestFinished(() => ending.abort());
    const connected = Promise.withResolvers<void>();
    const kernel = createFakeRuntime();
    kernel.run({ name: "whatever", pid: 42 });
    const identity = createIdentity({
      ...PLAIN_IDENTITY,
      runtime,
      processTable: kernel.processTable,
      clock,
      staticWorkloads: [],
      emit: (event) => {
        events.push(event);
        if (event.kind === "runtime-connected") connected.resolve();
      },
    });
    const run = identity.run(ending.signal);
    await connected.promise;
    await failureOf(runtime.imageLabels("sha256:abc", never));
    expect(events).toEqual([
      {
        kind: "runtime-note",
        runtime: "docker",
        message: `the Docker socket ${path} forbids GET of /images: which labels came from the image alone can not be told, so containers that have any label get no role. Let GET of /images through, as IMAGES=1 does with the usual socket proxies`,
      },
      { kind: "runtime-connected", runtime: "docker", workloads: 0 },
    ]);
    ending.abort();
    await run;
  });
});
