import { type HandoverParts, handOver } from "./hand-over.ts";

/** Puts another gateway in this one's place whenever it is asked for, one try at a time. */
export interface Replacement {
  ask(): void;
  /** Resolves when another one serves; this one has to end. */
  readonly isDone: Promise<void>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

export interface ReplacementParts extends HandoverParts {
  /** Why nobody can take this one's place at this moment; undefined where somebody can. */
  readonly obstacle: () => string | undefined;
}

/** What is under way when `signal` aborts is undone. */
export function createReplacement(parts: ReplacementParts, signal: AbortSignal): Replacement {
  const done = Promise.withResolvers<void>();
  let underWay: Promise<void> | undefined;

  async function tryOnce(): Promise<void> {
    const isReplaced = await handOver(parts, signal);
    underWay = undefined;
    if (isReplaced) done.resolve();
  }

  return {
    ask() {
      if (underWay !== undefined || signal.aborted) return;
      const message = parts.obstacle();
      if (message === undefined) underWay = tryOnce();
      else parts.emit({ kind: "handover-failed", message });
    },
    isDone: done.promise,
    settled: async () => underWay,
  };
}
