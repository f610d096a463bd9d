import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LoggedAnswer, loggedAnswers } from "./role-asker.ts";

/** Docker's builders. */
export const BUILDERS = ["BuildKit", "the classic builder"] as const;

/** How often the step of a build asks. */
export const ASKS = 6;

const SCRIPT = readFileSync(join(import.meta.dirname, "role-asker.sh")).toString("base64");

/**
 * Has a builder build an image on the host's network, from one that has bash; its one step asks for its role from its first moment on. `sh` runs a line of shell
 * on the Docker host and gives what it printed, both streams. Gives what the step was told, and all that was printed.
 */
export async function askInBuild(
  sh: (line: string) => Promise<string>,
  image: string,
  builder: (typeof BUILDERS)[number],
): Promise<{ readonly answers: readonly LoggedAnswer[]; readonly printed: string }> {
  const dockerfile = `FROM ${image}\nCOPY role-asker.sh /\nRUN ["bash", "-c", "ASKS=${ASKS} . /role-asker.sh; true"]\n`;
  // A Docker host may share its /tmp with others.
  const place = `folder=$(mktemp -d) && trap 'rm -r "$folder"' EXIT && cd "$folder"`;
  const files = `echo ${SCRIPT} | base64 -d >role-asker.sh && printf '%s' '${dockerfile}' >Dockerfile`;
  const build = `DOCKER_BUILDKIT=${builder === "BuildKit" ? 1 : 0} BUILDKIT_PROGRESS=plain docker build --no-cache --network host . 2>&1`;
  const printed = await sh(`(${place} && ${files} && ${build})`);
  return { answers: loggedAnswers(printed), printed };
}
