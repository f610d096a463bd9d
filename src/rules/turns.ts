/** Runs what it is given one after the other, in the order in which it came. A failure is the affair of its caller alone. */
export type InTurn = <T>(act: () => Promise<T>) => Promise<T>;

/** A queue of its own: what runs in it never runs beside anything else in it. An act must not wait for another turn of its queue. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => {});
    return turn;
  };
}
