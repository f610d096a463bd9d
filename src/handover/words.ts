import type { Fields } from "../fields.ts";

/** What the next gateway says to the one before, in every version: it has loaded itself, and wants what it is to inherit; it serves. */
export type Word = "loaded" | "serving";

export function saying(word: Word): object {
  return { say: word };
}

export function wordIn({ say }: Fields): unknown {
  return say;
}
