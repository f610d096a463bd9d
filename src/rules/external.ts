import { type Clock, sleep } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { CommandResult, RunCommand } from "../run-command.ts";
import { parseDump } from "./iptables-dump.ts";
import { IMDS_IPV4, IMDS_PORT } from "./rule-set.ts";
import { isDenied } from "./tool.ts";

/** Where to look, and for the way to which port. */
export interface ExternalRedirect {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly gatewayPort: number;
}

const LISTINGS: readonly (readonly [program: string, ...args: string[]])[] = [
  ["nft", "list", "ruleset"],
  // All tables: who asks iptables-legacy for one by its name makes it.
  ["iptables-nft-save"],
  ["iptables-legacy-save"],
  ["iptables-save"],
];
const LOOK_AGAIN_MS = 1_000;
const WATCH_MS = 10_000;

/**
 * Waits until somebody else's rules lead the IMDS address to `gatewayPort` (`--rules external`), looking once a second. `onWait` is called
 * once if they do not stand yet. Ends early when `signal` aborts. It never rejects: a tool that is missing shows no rules.
 */
export async function externalRedirect(redirect: ExternalRedirect, onWait: () => void, signal: AbortSignal): Promise<void> {
  let hasWaited = false;
  while (!signal.aborted && (await lookFor(redirect)).holder === undefined) {
    if (!hasWaited) onWait();
    hasWaited = true;
    await sleep(redirect.clock, LOOK_AGAIN_MS, signal);
  }
}

/** Goes on looking, each 10 s, and tells once when they are gone and once when they are back, until `signal` aborts. It never rejects. */
export async function watchExternalRedirect(redirect: ExternalRedirect, emit: Emit, signal: AbortSignal): Promise<void> {
  let last: string | undefined;
  let isGone = false;
  while (!signal.aborted) {
    const { holder, failed } = await lookFor(redirect);
    if (signal.aborted) return;
    if (holder !== undefined) {
      if (isGone) emit({ kind: "rules-note", message: "--rules external: the rules lead 169.254.169.254 to this gateway again" });
      isGone = false;
      last = holder;
    } else if (!isGone && !(last !== undefined && failed.includes(last))) {
      isGone = true;
      emit({ kind: "rules-unkept", backend: "external", message: goneFor(redirect.gatewayPort) });
    }
    await sleep(redirect.clock, WATCH_MS, signal);
  }
}

function goneFor(gatewayPort: number): string {
  return `--rules external: no rule leads ${IMDS_IPV4} to this gateway any more, so containers may reach the real IMDS. Have the unit that owns the rules put them in anew, or use "imdsgate rules apply --all --listen 0.0.0.0:${gatewayPort}"`;
}

/** The program that lists such rules, and those that could not list anything now, which is no sign that the rules are gone. */
async function lookFor({ run, gatewayPort }: ExternalRedirect): Promise<{ holder: string | undefined; failed: readonly string[] }> {
  const failed: string[] = [];
  for (const [program, ...args] of LISTINGS) {
    const listed = await listBy(run, program, args);
    if (leadsTo(program === "nft" ? listed.stdout : natIn(listed.stdout), gatewayPort)) return { holder: program, failed };
    if (listed.exitCode !== 0) failed.push(program);
  }
  return { holder: undefined, failed };
}

function natIn(dump: string): string {
  return parseDump(dump)
    .filter(({ name }) => name === "nat")
    .flatMap(({ rules }) => rules)
    .join("\n");
}

/** Which tables iptables-legacy has is root's to know. Others name the one that is meant, which makes it where it was not. */
async function listBy(run: RunCommand, program: string, args: readonly string[]): Promise<CommandResult> {
  const listed = await run(program, args);
  return isDenied(listed) ? run(program, [...args, "-t", "nat"]) : listed;
}

/** Whether a listing names the IMDS address and leads something to the port. The rules are somebody else's: their shape is not judged. */
function leadsTo(listing: string, gatewayPort: number): boolean {
  const isForImds = listing.includes(IMDS_IPV4) && new RegExp(`\\b(dport|dports) \\{? ?${IMDS_PORT}\\b`).test(listing);
  return (
    isForImds && new RegExp(`(redirect to :|dnat (ip )?to [^\\n]*:|--to-ports |--to-destination \\S+:)${gatewayPort}\\b`).test(listing)
  );
}
