import { type Clock, sleep } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { FollowCommand } from "../run-command.ts";
import type { BridgeGuarding } from "./bridge-guarding.ts";
import { createKeeper, IDLE_LOOK_MS } from "./keeper.ts";
import type { WatchRules } from "./rule-changes.ts";
import { createTurns } from "./turns.ts";

export interface BridgeGuardKeeperParts {
  readonly tool: "nft" | "ebtables";
  readonly bridgeGuarding: BridgeGuarding;
  readonly follow: FollowCommand;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * That all of it goes is told by nft at once. What is in it is looked at each 30 s, and more seldom where that is work: to list a thousand
 * ports takes some 100 ms.
 */
const GONE = /^delete table bridge imdsgate\b/;
const TIMES_A_LOOK = 3_000;
const LONGEST_IDLE_MS = 600_000;
const RESTART_MS = 10_000;

/** Keeps the bridge guard as it was put in, as the keeper keeps the rules, until `signal` aborts. It never rejects. */
export function keepBridgeGuard({ tool, bridgeGuarding, follow, clock, emit }: BridgeGuardKeeperParts, signal: AbortSignal): Promise<void> {
  const keeper = createKeeper({
    backend: `guard (${tool})`,
    inTurn: createTurns(),
    look: bridgeGuarding.differences,
    putIn: bridgeGuarding.repair,
    isReleaseAsked: async () => false,
    release: async () => {},
    followUplinks: async () => {},
    idleLookMs: (tookMs) => Math.max(IDLE_LOOK_MS, Math.min(tookMs * TIMES_A_LOOK, LONGEST_IDLE_MS)),
    watch: tool === "nft" ? nftGone(follow, clock) : nothing,
    clock,
    emit,
  });
  return keeper.run(signal);
}

function nftGone(follow: FollowCommand, clock: Clock): WatchRules {
  return async (onChange, signal) => {
    while (!signal.aborted) {
      await follow("nft", ["monitor", "destroy", "tables"], (line) => GONE.test(line) && onChange(), signal);
      await sleep(clock, RESTART_MS, signal);
    }
  };
}

const nothing: WatchRules = (_, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
