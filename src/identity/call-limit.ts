import type { Clock } from "../clock.ts";
import { within } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";

/** Calls to a runtime that end in their time, also when it never answers. */
export interface CallLimit {
  /** What `ask` gives. Rejects with RUNTIME_UNAVAILABLE after `ms` milliseconds; its signal aborts then. */
  within<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Aborts all calls under way. */
  hangUp(): void;
}

export function createCallLimit(runtimeName: string, clock: Clock): CallLimit {
  const underWay = new Set<AbortController>();
  return {
    async within(ms, ask) {
      const controller = new AbortController();
      underWay.add(controller);
      try {
        const asked = ask(controller.signal).then((value) => ({ value }));
        const answer = await within(clock, ms, asked, undefined);
        if (answer) return answer.value;
        throw new ImdsgateError(
          "RUNTIME_UNAVAILABLE",
          `${runtimeName} did not answer within ${ms} ms: see whether "${runtimeName} ps" answers`,
        );
      } finally {
        controller.abort();
        underWay.delete(controller);
      }
    },
    hangUp() {
      for (const controller of underWay) controller.abort();
    },
  };
}
