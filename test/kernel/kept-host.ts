import { systemClock } from "../../src/clock.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { BackendName } from "../../src/rules/backend.ts";
import { createRules, type Rules } from "../../src/rules/rules.ts";
import type { Namespace } from "./namespace.ts";
import { GATEWAY_PORT } from "./network.ts";

/** All rules on a host, and a keeper that looks after them. */
export interface KeptHost {
  readonly rules: Rules;
  readonly events: readonly ImdsgateEvent[];
  /** The first event from `events[from]` on, told already or to come, that `isWanted` accepts. */
  told(isWanted: (event: ImdsgateEvent) => boolean, from: number): Promise<ImdsgateEvent>;
  /** Moves the keeper's time on, so that what it did long ago counts no more; its timers run as ever. */
  forget(): void;
  /** Ends the keeper and waits for its end. */
  stop(): Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Makes `createRules` choose iptables-legacy, and stands where no damage of these tests comes. */
const LEGACY_IN_USE = ["-w", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "25", "-j", "DROP"];
const MINUTE = 60_000;

/** Puts all rules in by `backend` and begins to keep them. */
export async function startKept(host: Namespace, backend: BackendName): Promise<KeptHost> {
  if (backend === "iptables-legacy") await host.sh("iptables-legacy", LEGACY_IN_USE);
  const rules = await createRules(host.run, backend === "nftables" ? "nftables" : "iptables", []);
  if (rules.backend !== backend) throw new Error(`${backend} was wanted, and ${rules.backend} chosen`);
  await rules.apply("all", GATEWAY_PORT);

  const events: ImdsgateEvent[] = [];
  const listeners = new Set<() => void>();
  let skew = 0;
  const clock = { now: () => Date.now() + skew, after: systemClock.after };
  const emit = (event: ImdsgateEvent) => {
    events.push(event);
    for (const listener of listeners) listener();
  };
  const ending = new AbortController();
  const keeping = rules.keep({ follow: host.follow, clock, emit, onRepair: () => {}, onRelease: async () => {} }, ending.signal);
  async function stop(): Promise<void> {
    ending.abort();
    await keeping;
  }

  return {
    rules,
    events,
    told(isWanted, from) {
      const { promise, resolve } = Promise.withResolvers<ImdsgateEvent>();
      const look = () => {
        const found = events.slice(from).find(isWanted);
        if (found === undefined) return;
        listeners.delete(look);
        resolve(found);
      };
      listeners.add(look);
      look();
      return promise;
    },
    forget() {
      skew += MINUTE;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
