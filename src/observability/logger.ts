import { pino } from "pino";
import type { Emit } from "../events.ts";
import type { LogDestination } from "./held-lines.ts";
import { type LogLine, logLineFor } from "./log-line.ts";
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
  const lineFor = lineMaker(version, format);
  const threshold = pino.levels.values[level] ?? 0;
  destination.tellLosses?.((count) => lineFor(linesLost(count)));
  return (event) => {
    const line = logLineFor(event);
    if (line.isAudit || (pino.levels.values[line.level] ?? 0) >= threshold) destination.write(lineFor(line));
  };
}

/** Told whatever the log level: what is lost may be a part of the audit trail. */
function linesLost(count: number): LogLine {
  const message = `${count} log lines were lost: nobody read them`;
  return { level: "error", isAudit: true, message, fields: { "event.name": "imdsgate.lines-lost" } };
}

/** Gives what makes the text of a line, with its time and its line feed. */
function lineMaker(version: string, format: "json" | "pretty"): (line: LogLine) => string {
  let made = "";
  const logger = pino(
    {
      level: "debug",
      messageKey: "message",
      base: { "service.name": "imdsgate", "service.version": version },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
    },
    {
      write(text: string) {
        made = text;
      },
    },
  );
  return ({ level, fields, message }) => {
    logger[level](fields, message);
    return format === "json" ? made : prettyLine(made);
  };
}

function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  const secret = Object.keys(fields).filter((name) => SECRET.test(name));
  return secret.length === 0 ? fields : { ...fields, ...Object.fromEntries(secret.map((name) => [name, "[redacted]"])) };
}
