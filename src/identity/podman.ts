import type { Clock } from "../clock.ts";
import { dockerRuntime } from "./docker.ts";
import type { DockerEndpoint } from "./docker-endpoint.ts";
import { joinedContainer } from "./learn.ts";
import type { ContainerRuntime } from "./runtime.ts";

/** Podman behind its copy of Docker's API, read only. What that says otherwise, `docker-answers.ts` knows. Each call rejects with RUNTIME_UNAVAILABLE. */
export function podmanRuntime(endpoint: DockerEndpoint, clock: Clock): ContainerRuntime {
  const docker = dockerRuntime(endpoint, clock);
  return {
    ...docker,
    name: "podman",
    async namespaceOwner(id, signal) {
      // Its list says of each container that it has the host's network.
      const container = await docker.inspectContainer(id, signal);
      return container && joinedContainer(container.networkMode);
    },
    // `podman run --cgroups=disabled`; and its events come up to 250 ms late.
    haveAllCgroups: false,
    async listJoiners(ownerId, signal) {
      const found = new Set([ownerId]);
      for (let owners: readonly string[] = [ownerId]; owners.length > 0; ) {
        const ids = await docker.listMatching({ network: owners.map((id) => `container:${id}`) }, signal);
        owners = ids.filter((id) => !found.has(id));
        for (const id of owners) found.add(id);
      }
      return [...found].filter((id) => id !== ownerId);
    },
  };
}
