import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ForeignPlan, ForeignTraffic } from "./foreign-traffic.ts";
import type { HostKind } from "./kept-host.ts";
import { cpuMicrosWithEnded } from "./process-usage.ts";
import { type Program, startProgram } from "./program.ts";
import type { RuleChanges } from "./rules-changes.ts";
import { ask, nextLine } from "./talk.ts";

/** How much is measured. */
export interface RulesPlan {
  readonly containers: number;
  /** For half a minute the kernel still tells of the new ports, one by one. */
  readonly settleMs: number;
  /** For how long a keeper is left alone. */
  readonly idleMs: number;
  readonly foreign: ForeignPlan;
}

/** A host with rules that are kept, and nobody who touches them. */
export interface KeptIdle {
  readonly changes: RuleChanges;
  readonly idleMs: number;
  /** CPU time of the process that keeps, and of all programs that it ran, while it was left alone. */
  readonly cpuMs: number;
  readonly coreShare: number;
}

/** What the kernel's side of imdsgate costs. */
export interface RulesCost {
  readonly nft: KeptIdle;
  /** Undefined where iptables-legacy is not to be had. */
  readonly legacy: KeptIdle | undefined;
  readonly foreign: ForeignTraffic;
}

const HOST = fileURLToPath(new URL("rules-host.ts", import.meta.url));
/** The lock of iptables is a file in /run. */
const OWN_HOST = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$0" "$@"'];

/** Measures on hosts of its own, each in a network namespace; `tell` hears what is under way. */
export async function measureRules(plan: RulesPlan, tell: (text: string) => void): Promise<RulesCost> {
  tell(`rules: nftables, ${plan.containers} containers`);
  const { kept: nft, besides: foreign } = await measureHost("nftables", plan, (program) => ask<ForeignTraffic>(program, plan.foreign));
  tell(`rules: iptables-legacy, ${plan.containers} containers`);
  const legacy = await measureHost("iptables", plan, async () => undefined).catch((error: unknown) => {
    tell(`not measured: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  return { nft, legacy: legacy?.kept, foreign };
}

async function measureHost<T>(
  kind: HostKind,
  { containers, settleMs, idleMs }: RulesPlan,
  andThen: (program: Program) => Promise<T>,
): Promise<{ readonly kept: KeptIdle; readonly besides: T }> {
  await using owner = new AsyncDisposableStack();
  const program = await startProgram({ command: [...OWN_HOST, process.execPath, HOST, kind, `${containers}`] }, owner);
  const changes = await nextLine<RuleChanges>(program);
  await sleep(settleMs);
  const before = cpuMicrosWithEnded(program.pid);
  const startedAt = performance.now();
  await sleep(idleMs);
  const cpuMs = (cpuMicrosWithEnded(program.pid) - before) / 1_000;
  const lastedMs = performance.now() - startedAt;
  return { kept: { changes, idleMs: lastedMs, cpuMs, coreShare: cpuMs / lastedMs }, besides: await andThen(program) };
}
