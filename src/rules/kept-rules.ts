import { type Clock, hasPassed } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { FollowCommand, RunCommand } from "../run-command.ts";
import { endOldFlows } from "./conntrack.ts";
import type { PresentBackend } from "./every-backend.ts";
import { createFailureTeller } from "./failure-teller.ts";
import { createKeeper, IDLE_LOOK_MS, type Keeper } from "./keeper.ts";
import { askedWhenTold } from "./release-mark.ts";
import { ruleChanges } from "./rule-changes.ts";
import type { HostNetworkCapture, RuleSet } from "./rule-set.ts";
import { createTurns, type InTurn } from "./turns.ts";

/** What a keeper needs: how it hears of changes, and whom it tells. */
export interface KeeperTools {
  readonly follow: FollowCommand;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Called after each repair: what somebody did to the rules he may have done to more. */
  readonly onRepair: () => void;
  /** Called before the rules are let go: what else is kept beside them is to be let go by then too. */
  readonly onRelease: () => Promise<void>;
}

interface Parts {
  readonly run: RunCommand;
  readonly backend: PresentBackend;
  /** The interfaces that rules must leave alone, as the default routes are now; undefined where rules name none. Throws RULES_*. */
  readonly listUplinks: (() => Promise<readonly string[]>) | undefined;
  readonly workloadInterfaces: readonly string[];
}

interface Wanted {
  readonly ruleSet: RuleSet;
  /** What of it is in the kernel: in a fight the closed part alone. */
  readonly stands: RuleSet["parts"];
}

/** The rules of one backend, what is wanted of them by now, and who keeps them so. */
export class KeptRules {
  /** The one queue for everything that changes them. `apply` and `capture` are for those who have their turn. */
  readonly inTurn: InTurn = createTurns();
  readonly #parts: Parts;
  #hostNetwork: HostNetworkCapture | undefined;
  #wanted: Wanted | undefined;
  #keeper: Keeper | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What `apply` would put in. Throws RULES_TOOL_MISSING or RULES_FAILED. */
  async ruleSetFor(parts: RuleSet["parts"], gatewayPort: number): Promise<RuleSet> {
    const { listUplinks, workloadInterfaces } = this.#parts;
    const uplinkInterfaces = (await listUplinks?.()) ?? [];
    return { parts, gatewayPort, uplinkInterfaces, workloadInterfaces, hostNetwork: this.#hostNetwork };
  }

  /** Puts the closed part or all in. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED. */
  async apply(parts: RuleSet["parts"], gatewayPort: number): Promise<void> {
    await this.#change(await this.ruleSetFor(parts, gatewayPort), parts);
  }

  /** Takes out a mark that nobody answered: it must not release what begins now. Throws as the mark does. */
  async forgetOldQuestion(): Promise<void> {
    const { mark } = this.#parts.backend;
    if (this.#keeper === undefined && (await mark.stands())) await mark.takeOut();
  }

  /** As `Rules.capture`. */
  async capture(hostNetwork: HostNetworkCapture | undefined): Promise<void> {
    this.#hostNetwork = hostNetwork;
    if (this.#wanted === undefined) return;
    await this.#change({ ...this.#wanted.ruleSet, hostNetwork }, this.#wanted.stands);
    // What a container began before it was led to the gateway would hang, since its packets are no longer let out.
    await endOldFlows(this.#parts.run);
  }

  /** From now on nothing is wanted: neither the keeper nor `capture` puts anything in before the next `apply`. */
  letGo(): void {
    this.#wanted = undefined;
  }

  /** As `Rules.keep`. */
  async keep({ follow, clock, emit, onRepair, onRelease }: KeeperTools, signal: AbortSignal): Promise<void> {
    if (this.#wanted === undefined) return;
    const { backend, run } = this.#parts;
    this.#keeper = createKeeper({
      backend: backend.name,
      inTurn: this.inTurn,
      look: async () => (this.#wanted === undefined ? [] : backend.differences(this.#wanted.ruleSet)),
      putIn: async (parts) => {
        if (this.#wanted === undefined) return;
        await this.#putIn(this.#wanted.ruleSet, parts === "all" ? this.#wanted.ruleSet.parts : parts);
        // What was opened while the way was open must not go on.
        await endOldFlows(run);
        onRepair();
      },
      release: async () => {
        await onRelease();
        await backend.mark.takeOut();
        this.letGo();
      },
      followUplinks: this.#uplinkFollower(clock, emit),
      idleLookMs: () => IDLE_LOOK_MS,
      ...askedWhenTold(backend.mark, ruleChanges(backend, follow, clock)),
      clock,
      emit,
    });
    await this.#keeper.run(signal);
    this.#keeper = undefined;
  }

  async #putIn(ruleSet: RuleSet, parts: RuleSet["parts"]): Promise<void> {
    await this.#parts.backend.apply(parts === ruleSet.parts ? ruleSet : { ...ruleSet, parts });
    this.#wanted = { ruleSet, stands: parts };
  }

  /** A change of ours that is no repair. */
  async #change(ruleSet: RuleSet, stands: RuleSet["parts"]): Promise<void> {
    await this.#putIn(ruleSet, stands);
    if (stands === ruleSet.parts) await this.#keeper?.learnWording();
  }

  /** A default route may come, go or move after the start. */
  #uplinkFollower(clock: Clock, emit: Emit): (isDue: boolean) => Promise<void> {
    let seenAt = clock.now();
    const failures = createFailureTeller(this.#parts.backend.name, emit);
    return async (isDue) => {
      const now = clock.now();
      if (!isDue && !hasPassed(seenAt, IDLE_LOOK_MS, now)) return;
      seenAt = now;
      try {
        const message = await this.#followUplinks();
        failures.isOver();
        if (message !== undefined) emit({ kind: "rules-note", message });
      } catch (error) {
        failures.tell(error);
      }
    };
  }

  /** What there is to tell; undefined where the routes are as they were. */
  async #followUplinks(): Promise<string | undefined> {
    const { listUplinks } = this.#parts;
    if (this.#wanted === undefined || listUplinks === undefined) return undefined;
    const { ruleSet, stands } = this.#wanted;
    const uplinkInterfaces = await listUplinks();
    if (uplinkInterfaces.join() === ruleSet.uplinkInterfaces.join()) return undefined;
    await this.#change({ ...ruleSet, uplinkInterfaces }, stands);
    return `the default route leads over ${inWords(uplinkInterfaces)} now, not over ${inWords(ruleSet.uplinkInterfaces)}: the rules follow it`;
  }
}

function inWords(interfaces: readonly string[]): string {
  return interfaces.length === 0 ? "no interface" : interfaces.join(" and ");
}
