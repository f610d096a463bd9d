/** Chance that repeats: the same seed gives the same choices. */
export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** True in `percent` of a hundred calls. */
  chance(percent: number): boolean;
  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T;
}

/** Chance for the `index`-th input of a run with `seed`: each input can be made anew by itself. */
export function randomFor(seed: number, index: number): Random {
  let state = mix(mix(seed >>> 0) ^ Math.imul(index + 1, 0x9e3779b1));
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    chance: (percent) => next() * 100 < percent,
    pick(choices) {
      const [choice] = choices.slice(below(choices.length));
      if (choice === undefined) throw new Error("there is nothing to pick from");
      return choice;
    },
  };
}

/** Spreads the bits of one 32-bit number over all of another. */
function mix(value: number): number {
  let bits = value >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
