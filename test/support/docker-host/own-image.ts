import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { DockerHost } from "./docker-host.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** What takes the place of a registry's Debian image: it has the packages that the Dockerfile installs. */
export const DEBIAN = join(ROOT, ".tools/debian");

const PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/** Builds imdsgate's image from its Dockerfile on that host, as `imdsgate`. `folder` is for the files on the way. Takes about 15 s. */
export async function buildImage(host: DockerHost, folder: string): Promise<void> {
  execFileSync(process.execPath, [join(ROOT, "scripts/build.ts"), "image", join(folder, "context")]);
  execFileSync(join(ROOT, "packaging/image/bases.sh"), [DEBIAN, process.execPath, folder]);
  await host.docker("import", "--change", PATH, join(folder, "debian.tar"), "debian:bookworm-slim");
  await host.docker("import", join(folder, "node.tar"), "node:24-bookworm-slim");
  await host.docker("build", "--tag", "imdsgate", join(folder, "context"));
}
