import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { dockerRuntime } from "../../src/identity/docker.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { failureOf, ID, never, socketPath } from "./scripted-docker.ts";

const ENDPOINT = { NetworkID: "n", EndpointID: "e", Gateway: "172.18.0.1", IPAddress: "172.18.0.2", IPPrefixLen: 16 };
const CONTAINER = {
  Id: ID,
  Name: "/web",
  Image: "sha256:abc",
  State: { Status: "running", Running: true, Pid: 42, StartedAt: "2026-11-24T02:00:00Z" },
  Config: { Image: "web:2", Labels: { team: "shop" } },
  HostConfig: { NetworkMode: "shop" },
};
const MAC = "02:42:ac:12:00:02";

/** What an inspected container's network settings look like, by Docker's release. */
const DAEMONS = [
  {
    release: "20.10",
    version: "1.41",
    min: "1.12",
    settings: {
      Bridge: "",
      IPAddress: "",
      MacAddress: "",
      Networks: {
        shop: { ...ENDPOINT, IPAMConfig: null, Links: null, Aliases: ["c0ffee"], GlobalIPv6Address: "", MacAddress: MAC, DriverOpts: null },
      },
    },
  },
  {
    release: "24.0",
    version: "1.43",
    min: "1.12",
    settings: { IPAddress: "172.18.0.2", MacAddress: MAC, Networks: { shop: { ...ENDPOINT, GlobalIPv6Address: "", MacAddress: MAC } } },
  },
  {
    release: "27.5",
    version: "1.47",
    min: "1.24",
    settings: { Networks: { shop: { ...ENDPOINT, MacAddress: MAC, DNSNames: ["web", "c0ffee"], GlobalIPv6Address: "" } } },
  },
  {
    release: "28.0",
    version: "1.48",
    min: "1.24",
    settings: {
      IPAddress: "",
      Networks: { shop: { ...ENDPOINT, MacAddress: MAC, GwPriority: 0, DNSNames: ["web"], GlobalIPv6Address: "" } },
    },
  },
  {
    release: "29.0",
    version: "1.52",
    min: "1.44",
    settings: { SandboxID: "s", Ports: {}, Networks: { shop: { ...ENDPOINT, MacAddress: MAC, GwPriority: 0, DNSNames: ["web"] } } },
  },
];

interface Daemon {
  readonly version: string;
  readonly min: string;
  readonly settings?: object;
  /** That it has no paths without a version, as Docker announces for some day. */
  readonly isStrict?: boolean;
}

const numberOf = (version: string) => Number(version.split(".")[1]);

/** What is wrong with asking `daemon` in `version`, as Docker says it; undefined when nothing is. */
function refusalOf(daemon: Daemon, version: string | undefined): { readonly status: number; readonly message: string } | undefined {
  if (version === undefined) return daemon.isStrict ? { status: 404, message: "page not found" } : undefined;
  if (numberOf(version) < numberOf(daemon.min)) {
    return {
      status: 400,
      message: `client version ${version} is too old. Minimum supported API version is ${daemon.min}, please upgrade your client`,
    };
  }
  if (numberOf(version) <= numberOf(daemon.version)) return undefined;
  return { status: 400, message: `client version ${version} is too new. Maximum supported API version is ${daemon.version}` };
}

function answerOf({ settings }: Daemon, path: string): unknown {
  const answers: Record<string, unknown> = {
    "/containers/json": [{ Id: ID, NetworkSettings: settings }],
    [`/containers/${ID}/json`]: { ...CONTAINER, NetworkSettings: settings },
    "/networks": [{ Id: "n", IPAM: { Config: [{ Subnet: "172.18.0.0/16" }] } }],
    "/events": {},
  };
  return answers[path];
}

/** A daemon that judges versions as Docker does, until it is replaced by another. Gives the runtime on it and what it was asked. */
async function versionedDaemon(first: Daemon) {
  const now = { daemon: first };
  const asked: string[] = [];
  const path = socketPath();
  const server = createServer((request, response) => {
    const target = (request.url ?? "").split("?")[0] ?? "";
    asked.push(target);
    const [, version, unversioned = ""] = /^(?:\/v([\d.]+))?(\/.*)$/.exec(target) ?? [];
    const refusal = unversioned === "/_ping" ? undefined : refusalOf(now.daemon, version);
    response.writeHead(refusal?.status ?? 200, {
      "Content-Type": "application/json",
      "Api-Version": now.daemon.version,
      Connection: "close",
    });
    response.end(JSON.stringify(refusal ? { message: refusal.message } : answerOf(now.daemon, unversioned)));
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const runtime = dockerRuntime({ kind: "unix", path }, handMovedClock());
  const become = (next: Daemon): void => {
    now.daemon = next;
  };
  return { runtime, path, asked: () => asked.splice(0), become };
}

describe("a daemon", () => {
  test.for(DAEMONS)("of $release is asked in its own version, and understood", async (daemon) => {
    const { runtime, asked } = await versionedDaemon(daemon);
    expect(await runtime.listContainers(never)).toEqual([ID]);
    expect(await runtime.inspectContainer(ID, never)).toEqual({
      id: ID,
      name: "web",
      image: "web:2",
      imageId: "sha256:abc",
      labels: { team: "shop" },
      isRunning: true,
      pid: 42,
      startedAt: "2026-11-24T02:00:00Z",
      networks: [{ name: "shop", id: "n", addresses: ["172.18.0.2"], mac: MAC }],
      networkMode: "shop",
    });
    expect(await runtime.listNetworks(never)).toEqual([{ id: "n", subnets: ["172.18.0.0/16"] }]);
    expect(asked()).toEqual([
      "/_ping",
      ...["/containers/json", "/containers/json", `/containers/${ID}/json`, "/networks"].map((path) => `/v${daemon.version}${path}`),
    ]);
  });

  test("that has no paths without a version is asked all the same", async () => {
    const { runtime } = await versionedDaemon({ version: "1.99", min: "1.60", isStrict: true });
    expect(await runtime.listContainers(never)).toEqual([ID]);
  });

  test("that was replaced by an older or a newer one is asked anew with each stream of events", async () => {
    const { runtime, asked, become } = await versionedDaemon({ version: "1.52", min: "1.44" });
    const follow = () =>
      runtime.watchEvents(
        () => {},
        () => {},
        never,
      );
    await follow();
    become({ version: "1.41", min: "1.12" });
    await follow();
    become({ version: "1.60", min: "1.55" });
    await follow();
    expect(asked()).toEqual(["/_ping", "/v1.52/events", "/_ping", "/v1.41/events", "/_ping", "/v1.60/events"]);
  });

  test("that was replaced while no stream of events stood refuses one question, and answers the next", async () => {
    const { runtime, path, become } = await versionedDaemon({ version: "1.52", min: "1.44" });
    await runtime.listContainers(never);
    become({ version: "1.41", min: "1.12" });
    expect(await failureOf(runtime.listContainers(never))).toBe(
      `RUNTIME_UNAVAILABLE: the Docker socket ${path} refused the API version that it named itself in /_ping: {"message":"client version 1.52 is too new. Maximum supported API version is 1.41"}. It is asked for its version anew`,
    );
    expect(await runtime.listContainers(never)).toEqual([ID]);
  });

  test.for(["", "1", "latest", "1.41/../../x"])("that names %o as its version is asked without", async (version) => {
    const { runtime, asked } = await versionedDaemon({ version, min: "1.12" });
    expect([await runtime.listContainers(never), asked()]).toEqual([[ID], ["/_ping", "/containers/json", "/containers/json"]]);
  });

  test("that does not know a path says so: that is no container that is gone", async () => {
    const { runtime, become, path } = await versionedDaemon({ version: "1.41", min: "1.12" });
    await runtime.listContainers(never);
    become({ version: "x", min: "1.12", isStrict: true });
    await failureOf(
      runtime.watchEvents(
        () => {},
        () => {},
        never,
      ),
    );
    expect(await failureOf(runtime.inspectContainer(ID, never))).toBe(
      `RUNTIME_UNAVAILABLE: the Docker socket ${path} gave an answer of no use: it answered 404 to /containers/${ID}/json: {"message":"page not found"}. See whether it is Docker's API`,
    );
  });
});
