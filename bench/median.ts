/** The value in the middle, of an even number of them the mean of the two there; not a number where there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return (at(Math.floor((values.length - 1) / 2)) + at(Math.floor(values.length / 2))) / 2;
}
