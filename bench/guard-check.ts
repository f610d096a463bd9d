import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { macOf } from "./bridge.ts";
import { logPathIn } from "./imdsgate.ts";
import type { Lab } from "./lab.ts";
import { runTool } from "./run-tool.ts";

const TRIES = 100;
const STEP_MS = 100;
/** A connection counts as guarded when its address has been held for a second; a little more, for the clock of who holds it. */
const SETTLED_MS = 1_500;
/** By which the daemon would say that the guard was not what it should be. */
const TROUBLE = /"event\.name":"imdsgate\.(guard-gap|rules-(?:repaired|unkept|flapping))"/;

type Guarded = Pick<Lab, "containers" | "noRulesBecause">;

/**
 * Resolves when the kernel has held every address of the lab's containers for so long that a connection is proven by its address alone.
 * Throws when that does not come about: figures without it would not be those of a host. Where there are no rules there is no guard.
 */
export async function requireGuard(lab: Guarded): Promise<void> {
  if (lab.noRulesBecause !== undefined) return;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (unguarded(lab).length === 0) return void (await sleep(SETTLED_MS));
    await sleep(STEP_MS);
  }
  throw new Error(`the bridge guard does not hold ${unguarded(lab).join(", ")}`);
}

/** Throws when the guard does not hold the containers any more, or did not at all times since the daemon began its log in `directory`. */
export function refuseUnguarded(lab: Guarded, directory: string): void {
  if (lab.noRulesBecause !== undefined) return;
  const trouble = readFileSync(logPathIn(directory), "utf8")
    .split("\n")
    .find((line) => TROUBLE.test(line));
  if (trouble !== undefined) throw new Error(`the guard did not hold at all times: ${trouble}`);
  if (unguarded(lab).length > 0) throw new Error(`the bridge guard no longer holds ${unguarded(lab).join(", ")}`);
}

function unguarded({ containers }: Guarded): readonly string[] {
  const held = heldEndpoints();
  return containers.flatMap(({ addresses }) => addresses).filter((address) => !held.includes(`${macOf(address)} . ${address}`));
}

/** What the guard lets speak for an address, as nft lists it; empty while there is no guard. */
function heldEndpoints(): string {
  const tables = runTool(["nft", "list", "tables", "bridge"]);
  return tables.includes("table bridge imdsgate\n") ? runTool(["nft", "list", "set", "bridge", "imdsgate", "endpoints4"]) : "";
}
