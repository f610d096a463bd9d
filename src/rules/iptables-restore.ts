import { hasCode } from "../errors.ts";
import { parseDump } from "./iptables-dump.ts";
import { type Present, presentIn } from "./iptables-present.ts";

/** The two programs of one family. Both throw as `Backend.apply`. */
export interface IptablesFamilyTools {
  readonly save: () => Promise<string>;
  readonly restore: (script: string) => Promise<unknown>;
}

/** Others change rules in the same moment: firewalld's reload, Docker's start. */
const TRIES = 3;

/**
 * Loads the script that `scriptFor` makes of what is there; undefined: none. Where that fails although somebody has changed what is there
 * in between, it is done again, three times at most. Throws like the tools.
 */
export async function restoreOnto(
  tools: IptablesFamilyTools,
  scriptFor: (present: Present) => Promise<string | undefined>,
  tries = TRIES,
): Promise<void> {
  const dump = await tools.save();
  const script = await scriptFor(presentIn(parseDump(dump)));
  if (script === undefined) return;
  try {
    await tools.restore(script);
  } catch (error) {
    if (tries <= 1 || !hasCode(error, "RULES_FAILED") || isSame(dump, await tools.save())) throw error;
    await restoreOnto(tools, scriptFor, tries - 1);
  }
}

function isSame(one: string, other: string): boolean {
  const withoutCounters = (dump: string) => dump.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "");
  return withoutCounters(one) === withoutCounters(other);
}
