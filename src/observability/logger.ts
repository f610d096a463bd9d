import { pino } from "pino";
import type { Emit } from "../events.ts";
import { logLineFor } from "./log-line.ts";
import { prettyLine } from "./pretty-line.ts";

/** Where lines go. `write` takes one line with its line feed. */
export interface LogDestination {
  write(line: string): void;
}

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

/** How often a full pipe is tried again within one turn of the event loop. */
const MAX_RETRIES = 5;

/**
 * A destination on standard error that never blocks. Past 1 MiB of lines that nobody reads, new ones are dropped; how many is
 * said in a line once there is room. `flush` before the end.
 */
export function standardErrorDestination(): LogDestination & { flush(): void } {
  let retries = 0;
  let dropped = 0;
  // pino writes synchronously at the end; on a full pipe it would try for ever, and no signal would be heard any more.
  const retryEAGAIN = () => {
    if (retries === 0) setImmediate(() => (retries = 0));
    retries += 1;
    return retries <= MAX_RETRIES;
  };
  const destination = pino.destination({ fd: 2, sync: false, maxLength: 1_048_576, retryEAGAIN });
  destination.on("error", () => {});
  destination.on("drop", () => {
    dropped += 1;
  });
  destination.on("drain", () => {
    const lost = dropped;
    dropped = 0;
    if (lost > 0)
      destination.write(`{"level":"error","message":"${lost} log lines were lost: nobody read them","event.name":"imdsgate.lines-lost"}\n`);
  });
  return {
    write: (line) => void destination.write(line),
    flush() {
      try {
        destination.flushSync();
      } catch {
        // Nobody reads.
      }
      destination.destroy();
    },
  };
}
