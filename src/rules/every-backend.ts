import { hasCode } from "../errors.ts";
import type { RunCommand } from "../run-command.ts";
import type { Backend, BackendName } from "./backend.ts";
import type { RulesProbe } from "./choose-backend.ts";
import { iptablesBackend } from "./iptables.ts";
import { nftablesBackend } from "./nftables.ts";
import { type ReleaseMark, releaseMark } from "./release-mark.ts";
import { tryEach } from "./try-each.ts";

/** A backend whose tool is on this host. */
export interface PresentBackend extends Backend {
  /** The program of an iptables backend, else `nft`. */
  readonly program: string;
  readonly mark: ReleaseMark;
}

/** Every backend whose tool is on this host: no other can have left anything that we could take out. */
export function presentBackends(run: RunCommand, probe: RulesProbe): readonly PresentBackend[] {
  const present = (backend: Backend, program: string) => ({ ...backend, program, mark: releaseMark(run, backend.name, program) });
  return [
    ...(probe.hasNft ? [present(nftablesBackend(run), "nft")] : []),
    ...(probe.nft === undefined ? [] : [present(iptablesBackend(run, "nft", probe.nft.program), probe.nft.program)]),
    ...(probe.legacy === undefined ? [] : [present(iptablesBackend(run, "legacy", probe.legacy.program), probe.legacy.program)]),
  ];
}

/** The port that a redirect of ours leads to, in the first backend that holds one. It never rejects. */
export async function redirectPortIn(backends: readonly Backend[]): Promise<number | undefined> {
  for (const backend of backends) {
    // A tool that cannot look is no reason to leave containers open; putting the rules in tells what is wrong with it.
    const port = await backend.redirectPort().catch(() => undefined);
    if (port !== undefined) return port;
  }
  return undefined;
}

/** Takes our rules out of each and names those that held some. Rejects after it has tried all, with the first failure. */
export async function removeFrom(backends: readonly PresentBackend[]): Promise<readonly BackendName[]> {
  const removed: BackendName[] = [];
  await tryEach(backends, async (backend) => {
    if (await removeOne(backend)) removed.push(backend.name);
  });
  return removed;
}

/** Takes our rules out of a backend, and what was left of a question to the gateway. */
export async function removeOne({ mark, remove }: PresentBackend): Promise<boolean> {
  let heldRules = false;
  // The mark first, for what iptables-nft leaves behind is only taken away while nothing else stands in it.
  const acts = [
    async () => void ((await mark.stands()) && (await mark.takeOut())),
    async () => {
      heldRules = await remove();
    },
  ];
  await tryEach(acts, (act) => act());
  return heldRules;
}

/** What `act` gives, or undefined where it may not look: with CAP_NET_ADMIN alone nobody, and so not we, can have put anything into iptables-legacy. */
export async function ifPermitted<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (hasCode(error, "RULES_NOT_PERMITTED")) return undefined;
    throw error;
  }
}
