import { type Background, background } from "./background.ts";
import type { Config } from "./config/config.ts";
import type { Emit } from "./events.ts";
import { createHostRules, type HostRules } from "./host-rules.ts";
import type { SourceGuard } from "./identity/source-guard.ts";
import type { World } from "./world.ts";

/** The host's rules in the life of one gateway: closed, then all, and kept meanwhile; put down where another one is to keep them. */
export interface RuleKeeping extends SourceGuard, Background, Pick<HostRules, "note" | "cgroupPath"> {
  /** The backend that was chosen; `none` or `external` where there is none. */
  backend(): string;
  /** Chooses how the rules go in, and puts the closed part in; not where a gateway serves still, whose rules stay. Throws the RULES_* codes. */
  close(gatewayPort: number): Promise<void>;
  /** Puts all in, in place of what stands. Throws the RULES_* codes. */
  open(gatewayPort: number): Promise<void>;
}

export interface RuleKeepingParts {
  readonly config: Config;
  readonly world: World;
  readonly emit: Emit;
  /** What is kept ends with it. */
  readonly running: AsyncDisposableStack;
  /** Once it has aborted nothing begins. */
  readonly ending: AbortSignal;
}

/** No effect until `close`. */
export function createRuleKeeping({ config, world, emit, running, ending }: RuleKeepingParts): RuleKeeping {
  let rules: HostRules | undefined;
  const keeping = background(running, async (signal) => rules?.run(signal));
  const isFirst = world.handedOver === undefined;
  return {
    ...keeping,
    backend: () => rules?.backend ?? config.rules,
    async close(gatewayPort) {
      rules = await createHostRules(config, world, emit);
      if (!isFirst) return;
      await rules?.apply("closed", gatewayPort);
      if (!ending.aborted) keeping.takeUp();
    },
    async open(gatewayPort) {
      await rules?.apply("all", gatewayPort);
      // Before there is something to keep there is no keeper.
      if (!isFirst) keeping.takeUp();
    },
    note: (containers) => rules?.note(containers),
    heldSince: (id, address) => rules?.heldSince(id, address),
    cgroupPath: (id) => rules?.cgroupPath(id),
  };
}
