import { closeSync } from "node:fs";
import type { Argv } from "yargs";
import { aborted } from "../aborted.ts";
import { endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config/config.ts";
import { type Flag, RUN_FLAGS } from "../config/flags.ts";
import { loadProviders } from "../credentials/operator-credentials.ts";
import { loadSts } from "../credentials/sts.ts";
import { createDaemon, type Daemon } from "../daemon.ts";
import type { Emit } from "../events.ts";
import { inheritanceIn } from "../handover/inheritance.ts";
import { inheritedFrom, meetPredecessor, type Predecessor } from "../handover/predecessor.ts";
import { createReplacement, type Replacement } from "../handover/replacement.ts";
import { startSuccessor } from "../handover/successor.ts";
import { HeldLines } from "../observability/held-lines.ts";
import { createLogger } from "../observability/logger.ts";
import { inheritedDescriptors, isServed, REPLACED, type ServiceManagerParts, tellServiceManager } from "../service-manager.ts";
import { readVersion } from "../version.ts";
import { createWorld, type World } from "../world.ts";
import type { Command, CommandIo } from "./command.ts";

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
const FAILED = 1;

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
  const inheritance = inheritanceIn(io.environment);
  const predecessor = inheritance && (await meetPredecessor(inheritance.pipe, systemClock));
  const listeningDescriptors = inheritance?.listeners ?? inheritedDescriptors(io.environment, process.pid);
  const world = { ...createWorld(config), listeningDescriptors, handedOver: predecessor && inheritedFrom(predecessor) };
  return serveGateway({ config, world, readyText: readyLine, predecessor }, io);
}

/** What a gateway is made of, and what is said on stdout when it is ready. */
export interface GatewayParts {
  readonly config: Config;
  readonly world: World;
  readonly readyText: (ready: Ready, isJson: boolean) => string;
  /** The gateway whose place this one takes. */
  readonly predecessor?: Predecessor | undefined;
}

/** Where listeners and rules stand. */
export interface Ready {
  readonly listen: readonly string[];
  readonly rules: string;
  readonly version: string;
}

/** Runs the gateway until SIGINT, SIGTERM or another takes its place, and gives the exit code. Throws what `daemon.ts` does. */
export async function serveGateway({ config, world, readyText, predecessor }: GatewayParts, io: CommandIo): Promise<number> {
  const destination = new HeldLines(STANDARD_ERROR, systemClock);
  const version = readVersion();
  const emit = createLogger({ level: config.logLevel, format: logFormat(config, io), version, destination });
  if (predecessor) emit({ kind: "handover", step: "taken", leases: predecessor.handedOver?.leases.length });
  const daemon = createDaemon(config, world, emit, version);
  const stopped = aborted(io.signal).then(() => "asked to");
  const stopping = new AbortController();
  const replacement = replacementOf(daemon, { world, io, emit }, stopping.signal);
  const replaced = replacement.isDone.then(() => BY_ANOTHER);
  let told: Promise<void> | undefined;
  let reason = "it failed";
  try {
    const isReady = await Promise.race([daemon.start().then(() => true), stopped.then(() => false)]);
    if (isReady) {
      const ready = { listen: daemon.listening().map(endpointText), rules: daemon.rules(), version };
      io.out(readyText(ready, config.logFormat === "json"));
      const telling = await tellServiceManager(serviceManagerParts(world, io, emit), statusLine(ready), stopping.signal);
      told = telling.ended;
      // The one before goes only when systemd knows who has its place; else this end is none of systemd's business.
      if (predecessor && !telling.isKnown) {
        stopping.abort(REPLACED);
        return FAILED;
      }
      await predecessor?.leave();
      io.onUpgrade?.(replacement.ask);
      if (isReplaceable(world, io)) void loadAhead();
    }
    reason = await Promise.race([stopped, daemon.failure(), replaced]);
    return 0;
  } finally {
    stopping.abort(reason === BY_ANOTHER ? REPLACED : undefined);
    await replacement.settled();
    await Promise.all([daemon.stop(reason), told]);
    await destination.end();
    if (reason === BY_ANOTHER) leaveStreams();
  }
}

function logFormat({ logFormat: wish }: Config, { isTerminal }: CommandIo): "json" | "pretty" {
  return wish === "pretty" || (wish === "auto" && isTerminal) ? "pretty" : "json";
}

const BY_ANOTHER = "another gateway has taken its place";

/** What a replacement needs besides the daemon. */
interface Outside {
  readonly world: World;
  readonly io: CommandIo;
  readonly emit: Emit;
}

function replacementOf(daemon: Daemon, { world, io, emit }: Outside, signal: AbortSignal): Replacement {
  const { clock, listeningDescriptors: listeners } = world;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // The SDK's door changes it.
  const environment = { ...io.environment };
  return createReplacement(
    {
      obstacle: () => (isReplaceable(world, io) ? undefined : NO_UNIT),
      start: () => startSuccessor({ command, environment, listeners }, clock),
      giveUp: daemon.handOver,
      goOn: daemon.goOn,
      ...{ clock, emit },
    },
    signal,
  );
}

/** Elsewhere nobody would follow the process that is the gateway then. */
function isReplaceable({ listeningDescriptors }: World, { environment }: CommandIo): boolean {
  return isServed(environment) && listeningDescriptors.length > 0;
}

/** What is loaded at its first use may be another version's by then. Where it cannot be loaded, that use tells. */
async function loadAhead(): Promise<void> {
  await Promise.all([loadSts(), loadProviders()]).catch(() => {});
}

const NO_UNIT = "that needs a service manager that follows it, and a socket unit that holds the port: restart this one instead";

/**
 * As it exits, Node makes these streams block again if they did before it ran. They are the other gateway's too by now, whose log counts on
 * their not blocking; what is closed is left alone.
 */
function leaveStreams(): void {
  for (const fd of [STANDARD_OUTPUT, STANDARD_ERROR]) closeSync(fd);
}

function serviceManagerParts({ runCommand, clock, handedOver }: World, { environment }: CommandIo, emit: Emit): ServiceManagerParts {
  const onFailure = (message: string) => emit({ kind: "config-warning", message });
  return { environment, pid: process.pid, runCommand, clock, onFailure, isSuccessor: handedOver !== undefined };
}

/** What `systemctl status` shows. */
function statusLine({ listen, rules }: Ready): string {
  return `${listen.join(" ")} rules=${rules}`;
}

/** The one line on stdout: listeners and rules stand. */
export function readyLine(ready: Ready, isJson: boolean): string {
  return isJson ? `${JSON.stringify({ event: "ready", ...ready })}\n` : `ready ${statusLine(ready)}\n`;
}
