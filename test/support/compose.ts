import { existsSync } from "node:fs";
import { join } from "node:path";

/** A Docker Compose on this machine. Its plugin for the docker command runs by itself too. */
export interface Compose {
  readonly name: string;
  readonly path: string;
}

const PLUGIN_FOLDERS = ["/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins"];
/** For a machine without the plugin: built from its Go module, or taken from its release. */
const OWN_FOLDER = join(import.meta.dirname, "../../.tools");

/** Every Docker Compose that this machine has: the plugin (version 2 and on), and Debian's, which is version 1. */
export function composesHere(): readonly Compose[] {
  const plugin = [...PLUGIN_FOLDERS, OWN_FOLDER].map((folder) => join(folder, "docker-compose")).find((path) => existsSync(path));
  const first = "/usr/bin/docker-compose";
  return [
    ...(plugin === undefined ? [] : [{ name: "docker compose", path: plugin }]),
    ...(existsSync(first) ? [{ name: "docker-compose", path: first }] : []),
  ];
}
