/**
 * A container's own directory: its id (cgroupfs driver) or, after the name of whose it is, `docker-ID.scope`, `libpod-ID.scope`, `cri-containerd-ID.scope`
 * (systemd driver), `libpod-ID` (Podman with cgroupfs). Longer names than any that is known are none: the rules must hold the path.
 */
const CONTAINER = /^(?:[a-z][a-z-]{0,30}-)?([0-9a-f]{64})(?:\.scope)?$/;
/** The monitor of a container, of Podman or CRI-O, is no container: it is the host's own, and is on its network. */
const MONITOR = /^(?:[a-z]+-)*conmon-/;

/** The id of the container whose own cgroup directory has this name; undefined where it is no container's. A whole path: `containerIdIn`. */
export function containerIdOf(name: string): string | undefined {
  return MONITOR.test(name) ? undefined : CONTAINER.exec(name)?.[1];
}

/** The path of what has this name in a directory of the tree; the root is the empty text. */
export function pathBelow(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
