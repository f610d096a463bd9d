/** A container's own directory: its id (cgroupfs driver), `docker-ID.scope` (systemd driver), `libpod-ID` (Podman with cgroupfs). */
const CONTAINER = /^(?:[a-z][a-z-]{0,30}-)?([0-9a-f]{64})(?:\.scope)?$/;
/** Podman's monitor of a container is no container. */
const MONITOR = /^libpod-conmon-/;

/** The id of the container whose own cgroup directory has this name; undefined where it is no container's. */
export function containerIdOf(name: string): string | undefined {
  return MONITOR.test(name) ? undefined : CONTAINER.exec(name)?.[1];
}

/** The path of what has this name in a directory of the tree; the root is the empty text. */
export function pathBelow(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
