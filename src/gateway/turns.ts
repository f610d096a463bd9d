/** Requests of one budget that are served in one turn of the event loop. */
const IN_A_TURN = 2;
/** Turns that requests wait at most while connections are still being accepted. */
const MOST_POSTPONED = 16;

/** A request that waits to be served. */
interface Waiting {
  /** Whose share it comes out of, as the limits name it. */
  readonly budget: string;
  /** Whether the client has gone away: then it takes nobody's turn. */
  readonly isGone: () => boolean;
}

/** Who waits, in order of arrival, and how many turns all of them have been postponed. */
export interface Line<W extends Waiting> {
  readonly waiting: readonly W[];
  readonly postponed: number;
}

/**
 * What happens at the end of a turn: who goes on, and who still waits. Node accepts one connection a turn, in order of arrival, so while some are
 * accepted nobody is served: behind a greedy container's connections a quiet one's then waits for accepts alone. After that each has the same share.
 */
export function lineAfterTurn<W extends Waiting>(
  line: Line<W>,
  hasAccepted: boolean,
): { readonly going: readonly W[]; readonly line: Line<W> } {
  const { waiting, postponed } = line;
  if (hasAccepted && waiting.length > 0 && postponed < MOST_POSTPONED) return { going: [], line: { waiting, postponed: postponed + 1 } };
  const shares = new Map<string, number>();
  const going: W[] = [];
  const left: W[] = [];
  for (const one of waiting) {
    if (one.isGone()) going.push(one);
    else {
      const share = (shares.get(one.budget) ?? 0) + 1;
      shares.set(one.budget, share);
      (share <= IN_A_TURN ? going : left).push(one);
    }
  }
  return { going, line: { waiting: left, postponed: 0 } };
}

/** Shares out the turns of the event loop, so that one container cannot keep another one waiting (docs/contract.md, R4). */
export interface Turns {
  /** Takes note that a connection was accepted in this turn. */
  noteAccepted(): void;
  /** Resolves when a request of `budget` may be served: at the end of this very turn if nobody else wants something. It never rejects. */
  turnOf(budget: string, isGone: () => boolean): Promise<void>;
}

/** `atEndOfTurn` calls back when all input of this turn of the event loop has been seen, as `setImmediate` does. */
export function createTurns(atEndOfTurn: (act: () => void) => void): Turns {
  let line: Line<Waiting & { readonly go: () => void }> = { waiting: [], postponed: 0 };
  let hasAccepted = false;
  let isEndAwaited = false;

  function awaitEnd(): void {
    if (!isEndAwaited) atEndOfTurn(endTurn);
    isEndAwaited = true;
  }

  function endTurn(): void {
    const after = lineAfterTurn(line, hasAccepted);
    line = after.line;
    hasAccepted = false;
    isEndAwaited = false;
    for (const { go } of after.going) go();
    if (line.waiting.length > 0) awaitEnd();
  }

  return {
    noteAccepted() {
      hasAccepted = true;
      awaitEnd();
    },
    turnOf(budget, isGone) {
      return new Promise((go) => {
        line = { ...line, waiting: [...line.waiting, { budget, isGone, go }] };
        awaitEnd();
      });
    },
  };
}
