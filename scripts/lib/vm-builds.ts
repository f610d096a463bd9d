import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { ASKS, askInBuild, BUILDERS } from "../../test/support/docker-host/build-asker.ts";
import type { Machine } from "./vm-machine.ts";
import { toldOf } from "./vm-verdict.ts";

/**
 * Has each builder build on the host's network, and gives what the builds' steps were told, in a line. Throws where that is not what it should be: the
 * host's role without `imdsgate`, nothing with it.
 */
export async function buildOnHost(machine: Machine, by: "imdsgate" | "the real service"): Promise<string> {
  const lines: string[] = [];
  for (const builder of BUILDERS) {
    const { answers, printed } = await askInBuild(machine.sh, "story", builder);
    const { host, none, unanswered, own, other } = toldOf("", SIM_INSTANCE_ROLE.name, answers);
    const line = `${builder}: host ${host}, none ${none}, unanswered ${unanswered}`;
    // Each answer is seen, the first one above all.
    const isWhole = host + none + unanswered === ASKS;
    const isGood = by === "imdsgate" ? none > 0 && host === 0 : host === ASKS;
    if (!isWhole || !isGood) throw new Error(`${line}, others ${own + other}\n${printed}`);
    lines.push(line);
  }
  return lines.join("; ");
}
