import { extname, join } from "node:path";
import { type RunningProgram, startProgram } from "../run-command.ts";
import { demoFailed } from "./failure.ts";

/** Nothing of the caller's environment, and no file with AWS settings. */
const ENVIRONMENT = { HOME: "/nonexistent", AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };
const START_MS = 20_000;

/** A program of imdsgate that goes on. */
export interface StartedImdsgate extends AsyncDisposable {
  readonly program: RunningProgram;
  /** Its ready line: JSON. */
  readonly ready: string;
  /** The port on which it listens. */
  readonly port: number;
}

/** Starts `imdsgate WORDS…`, behind the words of `prefix`, and waits until it says that it is ready. Throws DEMO_FAILED with what it said instead. */
export async function startImdsgate(words: readonly string[], prefix: readonly string[] = []): Promise<StartedImdsgate> {
  const [first = "", ...rest] = [...prefix, ...imdsgateWords(words)];
  const program = await startProgram(first, rest, ENVIRONMENT);
  const ready = await program.line((line) => line.startsWith('{"event":"ready"'), START_MS);
  const [, port] = /:(\d+)"/.exec(ready ?? "") ?? [];
  const stop = async () => void (await program.stop());
  if (ready !== undefined && port !== undefined) return { program, ready, port: Number(port), [Symbol.asyncDispose]: stop };
  await stop();
  throw demoFailed(`"imdsgate ${words.join(" ")}" did not start: ${program.lines.slice(-5).join("\n") || "it said nothing"}`);
}

/** What starts `imdsgate WORDS…`, as a program and its arguments. */
export function imdsgateWords(words: readonly string[]): readonly string[] {
  return [process.execPath, join(import.meta.dirname, `../cli${extname(import.meta.filename)}`), ...words];
}
