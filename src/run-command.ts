import { execa } from "execa";

/** What a program printed and how it ended. `exitCode` is undefined when it could not be started or was killed. */
export interface CommandResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** True when there is no such program on this host. */
  readonly isMissing: boolean;
}

/** Runs `program` without a shell, feeds it `input`, and tells how it went. It never rejects. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>;

const TIMEOUT_MS = 15_000;

/** The one door to other programs: no shell, English messages, an end after 15 s, the system directories on PATH. */
export const runCommand: RunCommand = async (program, args, input) => {
  const result = await execa(program, args, {
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    reject: false,
    timeout: TIMEOUT_MS,
    stripFinalNewline: false,
    env: { LC_ALL: "C", PATH: `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` },
  });
  return {
    exitCode: result.exitCode,
    stdout: result.stdout ?? "",
    stderr: result.stderr ?? "",
    isMissing: result.code === "ENOENT",
  };
};
