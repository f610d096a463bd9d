/** What came from outside as a map of names to values that nobody has looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether `value` is such a map: an object that is no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
