import { mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { composesHere } from "../support/compose.ts";
import type { DockerHost } from "../support/docker-host/docker-host.ts";
import { buildImage } from "../support/docker-host/own-image.ts";

const FILE = join(import.meta.dirname, "../../packaging/compose.localstack.yaml");

/** The Compose that reads its file. */
export const COMPOSE = composesHere().find(({ name }) => name === "docker compose");

/** The project `shop` of packaging/compose.localstack.yaml: fluentd, php, cron and imdsgate as a container. */
export interface Shop {
  /** Runs Compose on it, and gives what that prints. */
  readonly compose: (...words: readonly string[]) => Promise<string>;
}

/** Starts it with another AWS in the place of its LocalStack. `keys` in the environment: imdsgate then speaks with these. It ends with the host. */
export async function startShop(host: DockerHost, endpoint: string, keys?: Readonly<Record<string, string>>): Promise<Shop> {
  const folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-shop-"));
  try {
    await buildImage(host, folder.path);
    const { command } = parse(readFileSync(FILE, "utf8")).services.imdsgate;
    const imdsgate = keys === undefined ? {} : { command: [...command, "--aws"], environment: keys };
    // The host's own memory keeps it: Compose reads it at each call.
    await host.run("bash", ["-c", "cat >/run/keys.yaml"], JSON.stringify({ services: { imdsgate } }));
  } finally {
    folder[Symbol.dispose]();
  }
  const variables = [`STS_ENDPOINT=${endpoint}`, "AWS_CLI_IMAGE=imdsgate-test"];
  const words = [COMPOSE?.path ?? "", "--file", FILE, "--file", "/run/keys.yaml", "--project-name", "shop"];
  const compose: Shop["compose"] = (...more) => host.run("env", [...variables, ...words, ...more]);
  await compose("up", "--detach", "--no-deps", "imdsgate", "fluentd", "php", "cron");
  return { compose };
}
