import { ask, type Line } from "./ask.ts";
import { type Attack, attackBytes } from "./attack.ts";
import { imdsTokenOf, isAnswered, type OwnRole, ownRoleOf } from "./own-role.ts";
import { type Verdict, verdictOn } from "./verdict.ts";

/** How the attacks are made. */
export interface SelftestPlan {
  readonly line: Line;
  readonly attacks: readonly Attack[];
  /** The name of the host's role; attacks name a made-up one without it. */
  readonly hostRole: string | undefined;
  /** Aborts between two attacks. */
  readonly signal: AbortSignal;
}

/** What came of them. */
export interface SelftestResult {
  readonly hasImdsToken: boolean;
  readonly own: OwnRole;
  readonly verdicts: readonly { readonly attack: Attack; readonly verdict: Verdict }[];
}

/** What attacks ask for where nobody told the name of the host's role. */
export const SOME_ROLE = "host-role";

/** Far below what a gateway lets one container have open. */
const LANES = 8;

/** Sends every attack through the gateway and judges what comes back; undefined where no metadata service answers. */
export async function runSelftest({ line, attacks, hostRole, signal }: SelftestPlan): Promise<SelftestResult | undefined> {
  const imdsToken = await imdsTokenOf(line);
  if (!(await isAnswered(line, imdsToken))) return undefined;
  const before = await ownRoleOf(line, imdsToken);
  const waiting = [...attacks.entries()];
  const heard: Awaited<ReturnType<typeof ask>>[] = [];
  const lane = async () => {
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      heard[next[0]] = await ask(line, attackBytes(next[1], hostRole ?? SOME_ROLE, imdsToken));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const own = bothTimes(before, await ownRoleOf(line, imdsToken));
  const verdicts = attacks.flatMap((attack, n) => {
    const one = heard[n];
    return one ? [{ attack, verdict: verdictOn(attack, one, { own, hostRole }) }] : [];
  });
  return { hasImdsToken: imdsToken !== undefined, own, verdicts };
}

/** Credentials may have been renewed between the two. */
function bothTimes(before: OwnRole, after: OwnRole): OwnRole {
  return { ...before, accessKeyIds: [...before.accessKeyIds, ...after.accessKeyIds] };
}
