import type { Argv } from "yargs";
import { aborted } from "../aborted.ts";
import { endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config/config.ts";
import { type Flag, RUN_FLAGS } from "../config/flags.ts";
import { createDaemon } from "../daemon.ts";
import type { Emit } from "../events.ts";
import { HeldLines } from "../observability/held-lines.ts";
import { createLogger } from "../observability/logger.ts";
import { inheritedDescriptors, type ServiceManagerParts, tellServiceManager } from "../service-manager.ts";
import { readVersion } from "../version.ts";
import { createWorld, type World } from "../world.ts";
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
  return withFlags(described, RUN_FLAGS);
}

/** The settings of `run` among `flags` as options of a command. */
export function withFlags<A>(yargs: Argv<A>, flags: readonly Flag[]): Argv<A> {
  return flags.reduce((building, flag) => building.option(flag.name, optionFor(flag)), yargs);
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
  const listeningDescriptors = inheritedDescriptors(io.environment, process.pid);
  return serveGateway({ config, world: { ...createWorld(config), listeningDescriptors }, readyText: readyLine }, io);
}

/** What a gateway is made of, and what is said on stdout when it is ready. */
export interface GatewayParts {
  readonly config: Config;
  readonly world: World;
  readonly readyText: (ready: Ready, isJson: boolean) => string;
}

/** Where listeners and rules stand. */
export interface Ready {
  readonly listen: readonly string[];
  readonly rules: string;
  readonly version: string;
}

/** Runs the gateway until SIGINT or SIGTERM and gives the exit code. Throws what `daemon.ts` does. */
export async function serveGateway({ config, world, readyText }: GatewayParts, io: CommandIo): Promise<number> {
  const destination = new HeldLines(STANDARD_ERROR, systemClock);
  const isPretty = config.logFormat === "pretty" || (config.logFormat === "auto" && io.isTerminal);
  const version = readVersion();
  const emit = createLogger({ level: config.logLevel, format: isPretty ? "pretty" : "json", version, destination });
  const daemon = createDaemon(config, world, emit, version);
  const stopped = aborted(io.signal).then(() => "asked to");
  const stopping = new AbortController();
  let told: Promise<void> | undefined;
  let reason = "it failed";
  try {
    const isReady = await Promise.race([daemon.start().then(() => true), stopped.then(() => false)]);
    if (isReady) {
      const ready = { listen: daemon.listening().map(endpointText), rules: daemon.rules(), version };
      io.out(readyText(ready, config.logFormat === "json"));
      told = tellServiceManager(serviceManagerParts(world, io, emit), statusLine(ready), stopping.signal);
    }
    reason = await Promise.race([stopped, daemon.failure()]);
    return 0;
  } finally {
    stopping.abort();
    await Promise.all([daemon.stop(reason), told]);
    await destination.end();
  }
}

function serviceManagerParts({ runCommand, clock }: World, { environment }: CommandIo, emit: Emit): ServiceManagerParts {
  const onFailure = (message: string) => emit({ kind: "config-warning", message });
  return { environment, pid: process.pid, runCommand, clock, onFailure };
}

/** What `systemctl status` shows. */
function statusLine({ listen, rules }: Ready): string {
  return `${listen.join(" ")} rules=${rules}`;
}

/** The one line on stdout: listeners and rules stand. */
export function readyLine(ready: Ready, isJson: boolean): string {
  return isJson ? `${JSON.stringify({ event: "ready", ...ready })}\n` : `ready ${statusLine(ready)}\n`;
}
