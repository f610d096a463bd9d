import type { Cancel, Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Over } from "./limits.ts";

const TOLD_EVERY_MS = 1_000;

/** Tells of connections over a limit: none is left out, and no number of them floods the log. */
export interface RefusedConnections {
  note(address: string, over: Over): void;
  /** Tells at once what is counted and not told yet. */
  end(): void;
}

/** Connections over one limit that follow each other by less than a second. */
interface Burst {
  readonly limit: Over["limit"];
  /** Of the last one. */
  readonly address: string;
  /** Not told yet. */
  readonly count: number;
  readonly cancel: Cancel;
}

/** The first of a burst is told at once, those that follow once a second with their number. */
export function createRefusedConnections(clock: Clock, emit: Emit): RefusedConnections {
  const bursts = new Map<string, Burst>();

  function tell({ address, limit, count }: Omit<Burst, "cancel">): void {
    emit({ kind: "connection-refused", address, reason: limit, count });
  }

  function tellAfterPause(key: string): Cancel {
    return clock.after(TOLD_EVERY_MS, () => {
      const burst = bursts.get(key);
      bursts.delete(key);
      if (!burst || burst.count === 0) return;
      tell(burst);
      bursts.set(key, { ...burst, count: 0, cancel: tellAfterPause(key) });
    });
  }

  return {
    note(address, { limit, budget }) {
      const key = `${limit} of ${budget}`;
      const burst = bursts.get(key);
      if (burst) bursts.set(key, { ...burst, address, count: burst.count + 1 });
      else {
        tell({ address, limit, count: 1 });
        bursts.set(key, { address, limit, count: 0, cancel: tellAfterPause(key) });
      }
    },
    end() {
      for (const burst of bursts.values()) {
        burst.cancel();
        if (burst.count > 0) tell(burst);
      }
      bursts.clear();
    },
  };
}
