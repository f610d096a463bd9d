import type { Emit } from "../events.ts";

/** Tells what keeps rules from being kept, and the same again only once it was over in between. */
export interface FailureTeller {
  tell(error: unknown): void;
  /** What failed works again. */
  isOver(): void;
}

/** Tells by `emit`, as `rules-unkept`. */
export function createFailureTeller(backend: string, emit: Emit): FailureTeller {
  let last: string | undefined;
  return {
    tell(error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== last) emit({ kind: "rules-unkept", backend, message });
      last = message;
    },
    isOver() {
      last = undefined;
    },
  };
}
