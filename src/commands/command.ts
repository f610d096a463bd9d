import type { ArgumentsCamelCase, Argv } from "yargs";

/** What a command may touch of the outside: text out, the end of the process, the environment. */
export interface CommandIo {
  /** Writes to stdout: the answer that somebody may pipe on. */
  out(text: string): void;
  /** Writes to stderr: talk, progress, log. */
  err(text: string): void;
  /** Whether stderr is a terminal, so that people read along. */
  readonly isTerminal: boolean;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Calls `act` at each SIGUSR2 from now on: another program, which was installed anew, is to take over. */
  onUpgrade?(act: () => void): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One command: its flags, and what it does. `run` gives the exit code, or throws an ImdsgateError. `cli.ts` has what it is called. */
export interface Command<Arguments> {
  readonly builder: (yargs: Argv) => Argv<Arguments>;
  run(args: ArgumentsCamelCase<Arguments>, io: CommandIo): Promise<number>;
}
