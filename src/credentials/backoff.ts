/** How long to wait after the `failures`th failure in a row (from 1): a random part of 1, 2, 4 … 30 s, in milliseconds. */
export function backoffMs(failures: number, random: () => number): number {
  return random() * Math.min(30_000, 1_000 * 2 ** (failures - 1));
}
