import type { Argv } from "yargs";
import { aborted } from "../aborted.ts";
import { endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { parseConfig } from "../config/config.ts";
import { type Flag, RUN_FLAGS } from "../config/flags.ts";
import { createDaemon, type Daemon } from "../daemon.ts";
import { HeldLines } from "../observability/held-lines.ts";
import { createLogger } from "../observability/logger.ts";
import { readVersion } from "../version.ts";
import { createWorld } from "../world.ts";
import type { Command, CommandIo } from "./command.ts";

const STANDARD_ERROR = 2;

type RunArguments = Readonly<Record<string, unknown>>;

/** `imdsgate run`: the gateway, until SIGINT or SIGTERM. */
export const runCommand: Command<RunArguments> = {
  builder: buildRun,
  run: runGateway,
};

function buildRun(yargs: Argv): Argv<RunArguments> {
  const described = yargs
    .usage(
      "imdsgate run --bind SELECTOR=ROLE …\n\nAnswers the instance metadata service for the containers of this host: each one gets its own role, never the host's.",
    )
    .example("$0 run --bind name:fluentd=fluentd-role --bind name:php=php-role", "two containers, two roles of this account")
    .example(
      "$0 run --role web=arn:aws:iam::111122223333:role/web --bind 'compose:shop/*=web'",
      "all services of a Compose project, a role of another account",
    )
    .example("$0 run --config /etc/imdsgate.yaml", "the same settings in a file")
    .option("config", {
      type: "string",
      requiresArg: true,
      describe: "A YAML file of these settings, keys in camelCase; flags and IMDSGATE_… variables win over it",
      group: "Output:",
    })
    .epilogue(
      "Exit codes: 0 a clean stop, 1 a failure, 2 bad usage or configuration. Every flag is also a variable (--deny-path is IMDSGATE_DENY_PATH) and a key of the file (denyPath).",
    );
  return RUN_FLAGS.reduce((building, flag) => building.option(flag.name, optionFor(flag)), described);
}

/** Values are read as text: what they must be is told by `parseConfig`, alike for flags, variables and the file. */
function optionFor(flag: Flag) {
  const value = flag.value === undefined ? "" : `${flag.value}: `;
  const choices = flag.choices === undefined ? "" : ` (${flag.choices.join(", ")})`;
  const fallback = flag.default === undefined ? "" : ` [default: ${flag.default}]`;
  return {
    type: flag.kind === "switch" ? ("boolean" as const) : ("string" as const),
    array: flag.kind === "list",
    requiresArg: flag.kind !== "switch",
    describe: `${value}${flag.help}${choices}${fallback}`,
    group: `${flag.group}:`,
  };
}

async function runGateway(args: RunArguments, io: CommandIo): Promise<number> {
  const config = parseConfig({ flags: args, environment: io.environment });
  const destination = new HeldLines(STANDARD_ERROR, systemClock);
  const isPretty = config.logFormat === "pretty" || (config.logFormat === "auto" && io.isTerminal);
  const version = readVersion();
  const emit = createLogger({ level: config.logLevel, format: isPretty ? "pretty" : "json", version, destination });
  const daemon = createDaemon(config, createWorld(config), emit, version);
  const stopped = aborted(io.signal).then(() => "asked to");
  let reason = "it failed";
  try {
    const isReady = await Promise.race([daemon.start().then(() => true), stopped.then(() => false)]);
    if (isReady) io.out(readyLine(daemon, config.logFormat === "json", version));
    reason = await Promise.race([stopped, daemon.failure()]);
    return 0;
  } finally {
    await daemon.stop(reason);
    await destination.end();
  }
}

/** The one line on stdout: listeners and rules stand. */
function readyLine(daemon: Daemon, isJson: boolean, version: string): string {
  const listen = daemon.listening().map(endpointText);
  const rules = daemon.rules();
  return isJson ? `${JSON.stringify({ event: "ready", listen, rules, version })}\n` : `ready ${listen.join(" ")} rules=${rules}\n`;
}
