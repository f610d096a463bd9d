import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { loggedAnswers } from "../../test/support/docker-host/role-asker.ts";
import type { Machine } from "./vm-machine.ts";
import { toldOf } from "./vm-verdict.ts";

/** Docker's two builders, as `DOCKER_BUILDKIT` chooses them. */
const BUILDERS = { BuildKit: 1, "the classic builder": 0 } as const;
const ASKS = 6;
const DOCKERFILE = `FROM story
COPY role-asker.sh /
RUN ["/bin/bash", "-c", "ASKS=${ASKS} . /role-asker.sh; true"]
`;

/**
 * Has both builders build an image on the host's network, whose one step asks for its role from its first moment, and gives what it was told, in a line.
 * Throws where that is not what it should be: the host's role without `imdsgate`, nothing with it.
 */
export async function buildOnHost(machine: Machine, by: "imdsgate" | "the real service"): Promise<string> {
  await machine.sh(
    `mkdir -p /root/build && cp /opt/story/role-asker.sh /root/build && printf '%s' '${DOCKERFILE}' >/root/build/Dockerfile`,
  );
  const lines: string[] = [];
  for (const [builder, kit] of Object.entries(BUILDERS)) {
    const choice = `DOCKER_BUILDKIT=${kit} BUILDKIT_PROGRESS=plain`;
    const printed = await machine.sh(`${choice} docker build --no-cache --network host /root/build`);
    const { host, none, unanswered, own, other } = toldOf("", SIM_INSTANCE_ROLE.name, loggedAnswers(printed));
    const line = `${builder}: host ${host}, none ${none}, unanswered ${unanswered}`;
    // Each answer is seen, the first one above all.
    const isWhole = host + none + unanswered === ASKS;
    const isGood = by === "imdsgate" ? none > 0 && host === 0 : host === ASKS;
    if (!isWhole || !isGood) throw new Error(`${line}, others ${own + other}\n${printed}`);
    lines.push(line);
  }
  return lines.join("; ");
}
