import type { CommandResult, RunCommand } from "../../src/run-command.ts";

/** What a program would print; what is left out is empty, and an exit code of 0. */
export type Answer = Partial<CommandResult>;

export const MISSING: Answer = { exitCode: undefined, isMissing: true };

/**
 * A host that answers each command line as `answers` has it and lacks every other program. `calls` tells what was run, with
 * the input below its command line.
 */
export function scriptedRun(answers: Readonly<Record<string, Answer>>): { readonly run: RunCommand; readonly calls: readonly string[] } {
  const calls: string[] = [];
  const run: RunCommand = (program, args, input) => {
    const line = [program, ...args].join(" ");
    calls.push(input === undefined ? line : `${line}\n${input}`);
    return Promise.resolve({ exitCode: 0, stdout: "", stderr: "", isMissing: false, ...(answers[line] ?? MISSING) });
  };
  return { run, calls };
}
