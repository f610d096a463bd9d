/** Milliseconds to how often something took as long: it does not grow with how much is counted. */
export type Durations = Map<number, number>;

/** Counts one more that took `ms`. */
export function countMs(durations: Durations, ms: number): void {
  durations.set(ms, (durations.get(ms) ?? 0) + 1);
}

/** How many took `ms` milliseconds or more. */
export function countFrom(ms: number, durations: Durations): number {
  return [...durations].reduce((sum, [took, count]) => (took >= ms ? sum + count : sum), 0);
}

/** The milliseconds in which the share `share` (0 to 1) of them was done; 0 of none. */
export function quantileOf(durations: Durations, share: number): number {
  let left = countFrom(0, durations) * share;
  for (const [ms, count] of [...durations].sort(([one], [other]) => one - other)) {
    left -= count;
    if (left <= 0) return ms;
  }
  return 0;
}
