import { existsSync } from "node:fs";

/** What keeps Podman from being tried on this machine; undefined when nothing does. */
export function podmanObstacle(): string | undefined {
  const missing = [
    ["podman", "/usr/bin/podman"],
    ["netavark", "/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"],
  ].find(([, ...places]) => !places.some((place) => existsSync(place)));
  return missing && `not installed: ${missing[0]}`;
}
