#!/usr/bin/env node
import yargs, { type Argv } from "yargs";
import { hideBin } from "yargs/helpers";
import type { Command, CommandIo } from "./commands/command.ts";
import { demoCommand } from "./commands/demo.ts";
import { rulesCommand } from "./commands/rules.ts";
import { runCommand } from "./commands/run.ts";
import { selftestCommand } from "./commands/selftest.ts";
import { simCommand } from "./commands/sim.ts";
import { versionCommand } from "./commands/version.ts";
import { ImdsgateError } from "./errors.ts";
import { readVersion } from "./version.ts";

const FAILED = 1;
const BAD_USAGE = 2;

/** Text that a person typed wrong; yargs' own words, with the way on. */
class UsageError extends Error {}

const exitCode = await main(hideBin(process.argv), processIo());
// A timer that somebody forgot must not keep a program that has done its work.
process.exit(exitCode);

/** Runs the command that `words` name and gives the exit code: 0 done, 1 failed, 2 bad usage or configuration. */
async function main(words: readonly string[], io: CommandIo): Promise<number> {
  let exitCode = 0;
  const add = <A>(to: Argv, { command, describe, builder, run }: Command<A>): Argv =>
    to.command({
      command,
      describe,
      builder,
      handler: async (args) => {
        exitCode = await run(args, io);
      },
    });
  const base = yargs()
    .scriptName("imdsgate")
    .usage("imdsgate: each container gets its own IAM role through the instance metadata service.\n\nUsage: $0 COMMAND …")
    .parserConfiguration({
      "greedy-arrays": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "parse-numbers": false,
      "boolean-negation": false,
    })
    .version(readVersion())
    .alias({ help: "h" })
    .strict()
    .recommendCommands()
    .demandCommand(1, "Name a command")
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      if (error) throw error;
      throw new UsageError(
        `${message}\n  see  ${["imdsgate", ...words.filter((word) => /^[a-z]+$/.test(word)).slice(0, 1)].join(" ")} --help`,
      );
    });
  const parser = add(add(add(add(add(add(base, runCommand), demoCommand), rulesCommand), selftestCommand), versionCommand), simCommand);
  try {
    await parser.parseAsync([...words]);
    return exitCode;
  } catch (error) {
    io.err(`${messageFor(error)}\n`);
    return error instanceof UsageError || isConfigError(error) ? BAD_USAGE : FAILED;
  }
}

function isConfigError(error: unknown): boolean {
  return error instanceof ImdsgateError && error.code.startsWith("CONFIG_");
}

function messageFor(error: unknown): string {
  if (error instanceof ImdsgateError) return `imdsgate: ${error.message}  [${error.code}]`;
  if (error instanceof UsageError) return `imdsgate: ${error.message}`;
  return `imdsgate: a bug; please report it with this: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** The outside as commands see it. The first SIGINT or SIGTERM asks for a clean stop, the second ends at once. */
function processIo(): CommandIo {
  const stop = new AbortController();
  const onSignal = () => (stop.signal.aborted ? process.exit(FAILED) : stop.abort());
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    signal: stop.signal,
    environment: process.env,
  };
}
