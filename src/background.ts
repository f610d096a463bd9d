/** Work in the background that can be put down and taken up again. */
export interface Background {
  /** Begins; not where its stack is disposed of. */
  takeUp(): void;
  /** Ends it, until it is taken up again. */
  putDown(): Promise<void>;
}

/** `work`, not yet begun. Where it was, it ends when its turn in the disposal of `stack` comes. */
export function background(stack: AsyncDisposableStack, work: (signal: AbortSignal) => Promise<void>): Background {
  let ending = new AbortController();
  let ended: Promise<void> | undefined;
  const putDown = async () => {
    ending.abort();
    await ended;
  };
  stack.defer(putDown);
  return {
    takeUp() {
      if (stack.disposed) return;
      ending = new AbortController();
      ended = work(ending.signal);
    },
    putDown,
  };
}

/** Runs `work` in the background until the stack is disposed of, and waits for its end then. */
export function keepRunning(stack: AsyncDisposableStack, work: (signal: AbortSignal) => Promise<void>): void {
  background(stack, work).takeUp();
}
