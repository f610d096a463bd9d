import { ImdsgateError } from "../../src/errors.ts";
import type { ContainerRuntime, RuntimeEvent } from "../../src/identity/runtime.ts";

export interface NewContainer {
  readonly name: string;
  readonly networks?: readonly string[];
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly networkMode?: string;
}

export interface FakeContainer extends NewContainer {
  readonly id: string;
  name: string;
  /** Network name to addresses; empty while it does not run. */
  readonly endpoints: Map<string, readonly string[]>;
  readonly attached: Set<string>;
  state: "idle" | "starting" | "running";
  pid: number;
  startedAt: string;
  whenStarted: PromiseWithResolvers<void>;
}

export interface FakeNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly string[];
  /** As Swarm's docker_gwbridge: an inspected container does not tell of it. */
  readonly isHidden: boolean;
}

export type Call = Exclude<keyof ContainerRuntime, "name">;

export interface Watcher {
  readonly tell: (event: RuntimeEvent) => void;
  readonly end: () => void;
}

export interface FakeState {
  readonly containers: ReadonlyMap<string, FakeContainer>;
  readonly networks: ReadonlyMap<string, FakeNetwork>;
  readonly images: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly watchers: Set<Watcher>;
  readonly haveAllCgroups: boolean;
  /** Resolves when the daemon gets to a call; rejects when it is down. */
  readonly isAnswered: (call: Call, id: string) => Promise<void>;
}

/** What a fake daemon with this state answers. */
export function createFakeApi({ containers, networks, images, watchers, haveAllCgroups, isAnswered }: FakeState): ContainerRuntime {
  async function listJoiners(ownerId: string): Promise<readonly string[]> {
    await isAnswered("listJoiners", ownerId);
    return [...containers.values()].filter(({ networkMode }) => networkMode === `container:${ownerId}`).map(({ id }) => id);
  }

  return {
    name: "docker",
    async listContainers() {
      await isAnswered("listContainers", "");
      const listed = [...containers.values()].filter(
        ({ state, networkMode = "" }) => state === "running" || networkMode.startsWith("container:"),
      );
      return listed.map(({ id }) => id);
    },
    async inspectContainer(id) {
      await isAnswered("inspectContainer", id);
      const container = containers.get(id);
      if (container?.state === "starting") await container.whenStarted.promise;
      if (!container || !containers.has(id)) return undefined;
      const isRunning = container.state === "running";
      return {
        id,
        name: container.name,
        image: container.image ?? "app:1",
        imageId: container.image ?? "app:1",
        labels: container.labels ?? {},
        isRunning,
        pid: isRunning ? container.pid : undefined,
        startedAt: container.startedAt,
        networks: [...container.attached]
          .filter((name) => !networks.get(name)?.isHidden)
          .map((name) => {
            const addresses = container.endpoints.get(name);
            return { name, id: networks.get(name)?.id ?? name, addresses: addresses ?? [], mac: macOf(addresses) };
          }),
        networkMode: container.networkMode ?? "bridge",
      };
    },
    async namespaceOwner(id) {
      await isAnswered("namespaceOwner", id);
      return /^container:(.+)$/.exec(containers.get(id)?.networkMode ?? "")?.[1];
    },
    haveAllCgroups,
    listJoiners,
    async listNetworks() {
      await isAnswered("listNetworks", "");
      return [...networks.values()].map(({ id, subnets }) => ({ id, subnets }));
    },
    async inspectNetwork(id) {
      await isAnswered("inspectNetwork", id);
      const network = [...networks.values()].find((one) => one.id === id);
      if (!network) return undefined;
      const plugged = [...containers.values()].filter(({ endpoints }) => endpoints.has(network.name));
      const endpoints = new Map(plugged.map((container) => [container.id, container.endpoints.get(network.name) ?? []]));
      const macs = new Map([...endpoints].map(([containerId, addresses]) => [containerId, macOf(addresses) ?? NO_MAC]));
      return { id, name: network.name, driver: "bridge", subnets: network.subnets, endpoints, macs };
    },
    async imageLabels(imageId) {
      await isAnswered("imageLabels", imageId);
      return images.get(imageId) ?? noSuchImage(imageId);
    },
    async watchEvents(onOpen, onEvent, signal) {
      await isAnswered("watchEvents", "");
      const ended = Promise.withResolvers<void>();
      const watcher = { tell: onEvent, end: ended.resolve };
      watchers.add(watcher);
      signal.addEventListener("abort", () => ended.resolve(), { once: true });
      onOpen();
      await ended.promise;
      watchers.delete(watcher);
    },
  };
}

const NO_MAC = "02:42:00:00:00:00";

/** As Docker before 28 makes them: from the IPv4 address. */
function macOf(addresses: readonly string[] | undefined): string | undefined {
  const v4 = addresses?.find((address) => address.includes("."));
  if (addresses === undefined) return undefined;
  if (v4 === undefined) return NO_MAC;
  return ["02", "42", ...v4.split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(":");
}

function noSuchImage(imageId: string): never {
  throw new ImdsgateError("RUNTIME_UNAVAILABLE", `No such image: ${imageId}`);
}
