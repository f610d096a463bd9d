#!/usr/bin/env node
import yargs, { type Argv } from "yargs";
import { hideBin } from "yargs/helpers";
import type { Command, CommandIo } from "./commands/command.ts";
import { ImdsgateError } from "./errors.ts";
import { readVersion } from "./version.ts";

const FAILED = 1;
const BAD_USAGE = 2;

/** Text that a person typed wrong; yargs' own words, with the way on. */
class UsageError extends Error {}

/** Does what the words ask for, and gives the exit code. */
type Work = () => Promise<number>;

/**
 * The words are understood. Thrown through yargs, since after a handler that returns it lays out the whole help of the command, asked for
 * or not, and that takes a sixth of the time to the first answer.
 */
class Understood extends Error {
  readonly work: Work;

  constructor(work: Work) {
    super("understood");
    this.work = work;
  }
}

/** Puts one command into the parser. */
type AddCommand = (to: Argv, io: CommandIo) => Argv;

/** What a command needs is loaded when it is chosen: all of them together would take the gateway twice as long to start. */
const COMMANDS: readonly AddCommand[] = [
  lazily("run", "Give each container its own role (the gateway itself)", async () => (await import("./commands/run.ts")).runCommand),
  lazily("demo", "See it work on this machine: no AWS, no Docker, no root", async () => (await import("./commands/demo.ts")).demoCommand),
  lazily("dev", "On a laptop: the gateway with an embedded metadata service", async () => (await import("./commands/dev.ts")).devCommand),
  lazily(
    "rules <action>",
    "Show the kernel's rules, put them in, or take them out",
    async () => (await import("./commands/rules.ts")).rulesCommand,
  ),
  lazily(
    "doctor",
    "Look at this host: what is right, what is wrong, and what helps",
    async () => (await import("./commands/doctor.ts")).doctorCommand,
  ),
  lazily(
    "selftest",
    "Attack the gateway from a container's place and judge each answer",
    async () => (await import("./commands/selftest.ts")).selftestCommand,
  ),
  lazily("version", "Print the version", async () => (await import("./commands/version.ts")).versionCommand),
  // Not in the main help.
  lazily("sim <service>", false, async () => (await import("./commands/sim.ts")).simCommand),
];

const exitCode = await main(hideBin(process.argv), processIo());
// A timer that somebody forgot must not keep a program that has done its work.
process.exit(exitCode);

/** Runs the command that `words` name and gives the exit code: 0 done, 1 failed, 2 bad usage or configuration. */
async function main(words: readonly string[], io: CommandIo): Promise<number> {
  try {
    const work = await workFor(words, io);
    return await work();
  } catch (error) {
    io.err(`${messageFor(error)}\n`);
    return error instanceof UsageError || isConfigError(error) ? BAD_USAGE : FAILED;
  }
}

/** What the words ask for; nothing more where that was help or the version. Throws UsageError. */
async function workFor(words: readonly string[], io: CommandIo): Promise<Work> {
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
  const parser = COMMANDS.reduce((to, add) => add(to, io), base);
  try {
    await parser.parseAsync([...words]);
    return async () => 0;
  } catch (error) {
    if (error instanceof Understood) return error.work;
    throw error;
  }
}

function lazily<A>(command: string, describe: string | false, load: () => Promise<Command<A>>): AddCommand {
  return (to, io) =>
    to.command({
      command,
      describe,
      builder: async (building: Argv) => (await load()).builder(building),
      handler: (args) => {
        throw new Understood(async () => (await load()).run(args, io));
      },
    });
}

function isConfigError(error: unknown): boolean {
  return error instanceof ImdsgateError && error.code.startsWith("CONFIG_");
}

/** What is loaded only when it is needed may turn out to be missing late. */
function isMissingModule(error: unknown): error is Error {
  return error instanceof Error && "code" in error && (error.code === "ERR_MODULE_NOT_FOUND" || error.code === "MODULE_NOT_FOUND");
}

function messageFor(error: unknown): string {
  if (error instanceof ImdsgateError) return `imdsgate: ${error.message}  [${error.code}]`;
  if (error instanceof UsageError) return `imdsgate: ${error.message}`;
  if (isMissingModule(error)) return `imdsgate: this installation is not whole: ${error.message}\n  try  npm ci`;
  return `imdsgate: a bug; please report it with this: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** The outside as commands see it. The first SIGINT or SIGTERM asks for a clean stop, the second ends at once. */
function processIo(): CommandIo {
  const stop = new AbortController();
  const onSignal = () => (stop.signal.aborted ? process.exit(FAILED) : stop.abort());
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  // To name these streams makes them non-blocking where they are sockets: the log counts on it.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    signal: stop.signal,
    onUpgrade: (act) => void process.on("SIGUSR2", act),
    environment: process.env,
  };
}
