import { pino } from "pino";
import type { Emit } from "../events.ts";
import type { LogDestination } from "./held-lines.ts";
import { logLineFor } from "./log-line.ts";
import { prettyLine } from "./pretty-line.ts";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "pretty";
  readonly version: string;
  readonly destination: LogDestination;
}

/** What a field is called that must never be in a line, should an event ever get one: the second net under the types of events. */
const SECRET = /secret|token|password/i;

/** Turns events into log and audit lines, one event one line (JSON, or for people). It never throws into a room. */
export function createLogger({ level, format, version, destination }: LoggerOptions): Emit {
  const sink = format === "json" ? destination : { write: (text: string) => destination.write(prettyLine(text)) };
  const logger = pino(
    {
      level: "debug",
      messageKey: "message",
      base: { "service.name": "imdsgate", "service.version": version },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
    },
    sink,
  );
  const threshold = pino.levels.values[level] ?? 0;
  return (event) => {
    const line = logLineFor(event);
    if (line.isAudit || (pino.levels.values[line.level] ?? 0) >= threshold) logger[line.level](line.fields, line.message);
  };
}

function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  const secret = Object.keys(fields).filter((name) => SECRET.test(name));
  return secret.length === 0 ? fields : { ...fields, ...Object.fromEntries(secret.map((name) => [name, "[redacted]"])) };
}
