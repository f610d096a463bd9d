import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LoggedAnswer, loggedAnswers } from "./role-asker.ts";

/** Docker's builders. */
export const BUILDERS = ["BuildKit", "the classic builder"] as const;

/** How often the step of a build asks. */
export const ASKS = 6;

const SCRIPT = readFileSync(join(import.meta.dirname, "role-asker.sh")).toString("base64");
const FOLDER = "/tmp/imdsgate-build";

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
  await sh(
    `mkdir -p ${FOLDER} && echo ${SCRIPT} | base64 -d >${FOLDER}/role-asker.sh && printf '%s' '${dockerfile}' >${FOLDER}/Dockerfile`,
  );
  const choice = `DOCKER_BUILDKIT=${builder === "BuildKit" ? 1 : 0} BUILDKIT_PROGRESS=plain`;
  const printed = await sh(`${choice} docker build --no-cache --network host ${FOLDER} 2>&1`);
  return { answers: loggedAnswers(printed), printed };
}
