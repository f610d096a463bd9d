import type { Clock } from "../clock.ts";
import { imagePath, parseContainer, parseEvent, parseImageLabels, parseJson, parseNetwork, parseNetworks } from "./docker-answers.ts";
import { type DockerEndpoint, dockerPlace } from "./docker-endpoint.ts";
import { dockerFailure, refusedAnswer, uselessAnswer } from "./docker-failure.ts";
import { readContainerIds, readJoinerIds, readNamespaceOwners } from "./docker-ids.ts";
import { versionedDocker } from "./docker-version.ts";
import { type DockerAnswer, dockerWire, linesOf, readBody } from "./docker-wire.ts";
import type { ContainerRuntime, RuntimeEvent } from "./runtime.ts";

/** What is worth waking up for; without it every health check of every container would come by. */
const EVENT_FILTERS = {
  type: ["container", "network"],
  event: ["connect", "disconnect", "create", "destroy", "remove", "init", "start", "die", "died", "rename"],
};

/** Those who join another's network namespace make no event before they run. */
export const NOT_RUNNING = listOf({ status: ["created", "exited"] });

type Filters = Readonly<Record<string, readonly string[]>>;

/** The list of all containers that `filters` let through. It tells of one that is starting too, for which an inspection would wait. */
function listOf(filters: Filters): string {
  return `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`;
}

/** Docker answers the head before it subscribes; `since` brings what happened between the two. */
function eventsSince(now: number): string {
  return `/events?since=${Math.floor(now / 1000)}&filters=${encodeURIComponent(JSON.stringify(EVENT_FILTERS))}`;
}

/** Also those that join one that joins it. */
function joinersOf(ownerId: string, owners: ReadonlyMap<string, string>): readonly string[] {
  const found = new Set([ownerId]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [id, owner] of owners) if (found.has(owner)) found.add(id);
  }
  return [...found].filter((id) => id !== ownerId);
}

export interface DockerRuntime extends ContainerRuntime {
  /** The ids of all containers that Docker's `filters` let through, whether they run or not. */
  listMatching(filters: Filters, signal: AbortSignal): Promise<readonly string[]>;
}

/** The Docker daemon at `endpoint`, read only. Each call rejects with RUNTIME_UNAVAILABLE. */
export function dockerRuntime(endpoint: DockerEndpoint, clock: Clock): DockerRuntime {
  const docker = versionedDocker(dockerWire(endpoint));
  let note: (event: RuntimeEvent) => void = () => {};
  let areImagesMissed = false;

  /** What `take` makes of the answer; undefined when Docker says that there is no such thing. */
  async function read<T>(path: string, signal: AbortSignal, take: (answer: DockerAnswer) => Promise<T>): Promise<T | undefined> {
    try {
      const response = await docker.ask(path, signal);
      if (response.statusCode === 200) return await take(response);
      const body = await readBody(response);
      if (response.statusCode === 404 && !isUnknownPath(body)) return undefined;
      if (response.statusCode === 403 && path.startsWith("/images/")) missImages();
      throw refusedAnswer(endpoint, response.statusCode ?? 0, path, body);
    } catch (error) {
      throw dockerFailure(endpoint, error);
    }
  }

  function missImages(): void {
    if (areImagesMissed) return;
    areImagesMissed = true;
    note({ kind: "note", message: `${dockerPlace(endpoint)} ${IMAGES_MISSED}` });
  }

  const refuse = (what: string): never => {
    throw uselessAnswer(endpoint, what);
  };
  const readJson = (path: string, signal: AbortSignal): Promise<unknown> =>
    read(path, signal, async (answer) => parseJson(await readBody(answer)) ?? refuse(`its answer to ${path} is not JSON`));
  const readList = async <T>(path: string, signal: AbortSignal, take: (answer: DockerAnswer) => Promise<T | undefined>): Promise<T> =>
    (await read(path, signal, take)) ?? refuse("its list of containers is none");

  return {
    name: "docker",
    async listContainers(signal) {
      const listed = [await readList("/containers/json", signal, readContainerIds), await readList(NOT_RUNNING, signal, readJoinerIds)];
      return [...new Set(listed.flat())];
    },
    inspectContainer: async (id, signal) => parseContainer(id, await readJson(`/containers/${encodeURIComponent(id)}/json`, signal)),
    namespaceOwner: async (id, signal) => (await readList(listOf({ id: [id] }), signal, readNamespaceOwners)).get(id),
    haveAllCgroups: true,
    listJoiners: async (ownerId, signal) => joinersOf(ownerId, await readList(listOf({}), signal, readNamespaceOwners)),
    listMatching: (filters, signal) => readList(listOf(filters), signal, readContainerIds),
    listNetworks: async (signal) => parseNetworks(await readJson("/networks", signal)) ?? refuse("its list of networks is none"),
    inspectNetwork: async (id, signal) => parseNetwork(id, await readJson(`/networks/${encodeURIComponent(id)}`, signal)),
    async imageLabels(imageId, signal) {
      const answer = await readJson(imagePath(imageId), signal);
      return parseImageLabels(answer) ?? refuse(`it knows no image ${imageId}`);
    },
    async watchEvents(onOpen, onEvent, signal) {
      docker.forget();
      note = onEvent;
      const path = eventsSince(clock.now());
      const tellEach = async (answer: DockerAnswer): Promise<"ended"> => {
        onOpen();
        for await (const line of linesOf(answer)) {
          const event = parseEvent(line);
          if (event) onEvent(event);
        }
        return "ended";
      };
      try {
        (await read(path, signal, tellEach)) ?? refuse("it has no events");
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

const IMAGES_MISSED =
  "forbids GET of /images: which labels came from the image alone can not be told, so containers that have any label get no role. Let GET of /images through, as IMAGES=1 does with the usual socket proxies";

/** What a daemon says of a path that it does not have at all, beside what it says of a container that is gone. */
function isUnknownPath(body: string): boolean {
  return body.includes("page not found");
}
