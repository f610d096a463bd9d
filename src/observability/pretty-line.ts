/** Fields that the sentence of a line already says, or that only a machine needs. */
const LEFT_OUT = new Set(["time", "level", "message", "event.name", "service.name", "service.version", "duration_ms", "error.message"]);

/** One JSON log line as a line for people: time, level, sentence, then the remaining fields. */
export function prettyLine(json: string): string {
  const entries: [string, unknown][] = Object.entries(JSON.parse(json));
  const record = new Map(entries);
  const rest = entries.filter(([key]) => !LEFT_OUT.has(key)).map(([key, value]) => `${key.replace(/^imdsgate\./, "")}=${plain(value)}`);
  const time = String(record.get("time")).slice(11, 23);
  return `${[time, String(record.get("level")).padEnd(5), plain(record.get("message")), ...rest].join("  ")}\n`;
}

/** Names come from containers: control characters and escape sequences must not reach a terminal. */
function plain(value: unknown): string {
  return String(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}
