import { extname, join } from "node:path";
import type { Endpoint } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { RunningProgram } from "../run-command.ts";
import { startProgram } from "../run-command.ts";
import type { Answer, Question } from "./question.ts";

/** Somebody who asks the metadata service: a container of the demonstration, or a process of the host itself. */
export interface Speaker {
  readonly name: string;
  readonly address: string;
  /** Asks one question after the other. */
  ask(questions: readonly Question[]): Promise<readonly Answer[]>;
}

export type ContainerName = "fluentd" | "php" | "cron";

/** What the story is played on. */
export interface Stage extends AsyncDisposable {
  /** How this stage is made, a sentence for people. */
  readonly about: string;
  /** Whether the kernel leads containers to the gateway. */
  readonly hasRedirect: boolean;
  readonly containers: Readonly<Record<ContainerName, Speaker>>;
  readonly host: Speaker;
  /** The real metadata service, which the host asks, and containers too while nothing is in the way. */
  readonly imds: Endpoint;
  readonly sts: Endpoint;
  /** Flags of `imdsgate run` that make it fit here. */
  readonly flags: readonly string[];
}

/** This program's own command line. */
export const CLI = join(import.meta.dirname, `../cli${extname(import.meta.filename)}`);

/** Nothing of the caller's AWS settings, and no file that holds some. */
export const NO_AWS_SETTINGS = { HOME: "/nonexistent", AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };

const START_MS = 20_000;

/** Starts `imdsgate WORDS`, behind `prefix` where given, and waits for its ready line. Throws DEMO_FAILED with what it said instead. */
export async function startImdsgate(
  words: readonly string[],
  isReady: (line: string) => boolean,
  prefix: readonly string[] = [],
): Promise<{ readonly program: RunningProgram; readonly ready: string }> {
  const [first = "", ...rest] = [...prefix, process.execPath, CLI, ...words];
  const program = startProgram(first, rest, NO_AWS_SETTINGS);
  const ready = await program.line(isReady, START_MS);
  if (ready !== undefined) return { program, ready };
  await program.stop();
  throw demoFailed(`"imdsgate ${words.join(" ")}" did not become ready: ${program.lines.slice(-5).join(" | ") || "it said nothing"}`);
}

/** The demonstration did not go as told. */
export function demoFailed(message: string): ImdsgateError {
  return new ImdsgateError("DEMO_FAILED", message);
}
