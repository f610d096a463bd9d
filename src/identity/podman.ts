import type { Clock } from "../clock.ts";
import { dockerRuntime } from "./docker.ts";
import type { DockerEndpoint } from "./docker-endpoint.ts";
import type { ContainerRuntime } from "./runtime.ts";

/** Podman behind its copy of Docker's API, read only. What that says otherwise, `docker-answers.ts` knows. Each call rejects with RUNTIME_UNAVAILABLE. */
export function podmanRuntime(endpoint: DockerEndpoint, clock: Clock): ContainerRuntime {
  return { ...dockerRuntime(endpoint, clock), name: "podman" };
}
