import type { Argv } from "yargs";
import { endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config/config.ts";
import { readConfigFile } from "../config/config-file.ts";
import { RUN_FLAGS } from "../config/flags.ts";
import { gatherSettings, type Settings } from "../config/settings.ts";
import { nextCommands, wayText } from "../dev/advice.ts";
import { developerCredentials, startEmbeddedAws } from "../dev/embedded-aws.ts";
import { readInstance } from "../dev/instance.ts";
import { lookAround } from "../dev/surroundings.ts";
import { chooseWay, type Surroundings, type Way } from "../dev/way.ts";
import { ImdsgateError } from "../errors.ts";
import { createWorld } from "../world.ts";
import type { Command, CommandIo } from "./command.ts";
import { type Ready, readyLine, serveGateway, withFlags } from "./run.ts";

/** What `dev` is told on the command line; all but these are settings of `run`. */
export interface DevArguments {
  readonly aws: boolean;
  readonly instance: string | undefined;
  readonly "instance-id": string | undefined;
  readonly "http-tokens": "optional" | "required";
  readonly [flag: string]: unknown;
}

/** `imdsgate dev`: the gateway on a machine that is no EC2 instance, until SIGINT or SIGTERM. */
export const devCommand: Command<DevArguments> = {
  builder: buildDev,
  run: runDev,
};

function buildDev(yargs: Argv): Argv<DevArguments> {
  const described = yargs
    .usage(
      "imdsgate dev --bind SELECTOR=ROLE …\n\nFor a laptop: the gateway as in production, with an embedded metadata service in place of EC2's. STS is embedded too, with credentials that no AWS takes, or another one, or AWS itself with your own keys.",
    )
    .example("$0 dev --bind name:web=web-role", "no AWS at all: the container web gets credentials of web-role, fake ones that say so")
    .example("$0 dev --bind name:web=web-role --sts-endpoint http://127.0.0.1:4566", "roles of LocalStack or moto")
    .example(
      "AWS_PROFILE=me $0 dev --aws --bind name:web=arn:aws:iam::111122223333:role/web",
      "real credentials of a real role that your own profile, SSO or keys may assume",
    )
    .option("aws", {
      type: "boolean",
      default: false,
      group: DEV,
      describe: "Speak to STS with your own keys, as every SDK finds them, and to AWS unless --sts-endpoint names another",
    })
    .option("instance-id", {
      type: "string",
      requiresArg: true,
      group: DEV,
      describe: "What the embedded metadata service says its instance is",
    })
    .option("instance", {
      type: "string",
      requiresArg: true,
      group: DEV,
      describe: "A YAML file of what it says: see docs/dev.md; --account and --region win over it",
    })
    .option("http-tokens", {
      choices: ["optional", "required"] as const,
      default: "optional" as const,
      group: DEV,
      describe: "required: it refuses IMDSv1, as an instance with HttpTokens=required",
    })
    .option("config", { type: "string", requiresArg: true, group: "Output:", describe: "A YAML file of settings, as for run" })
    .epilogue("On Linux as root it puts the rules in; elsewhere it says how containers are pointed to it. Exit codes as those of run.");
  return withFlags(described, DEV_FLAGS);
}

const DEV = "Development:";
/** The metadata service is embedded. */
const DEV_FLAGS = RUN_FLAGS.filter(({ name }) => name !== "upstream");

async function runDev(
  { aws, instance, "instance-id": instanceId, "http-tokens": httpTokens, ...flags }: DevArguments,
  io: CommandIo,
): Promise<number> {
  const settings = settingsFrom(flags, io);
  if (isSet(settings, "upstream"))
    throw new ImdsgateError(
      "CONFIG_INVALID",
      "dev has a metadata service of its own, and --upstream is set; use imdsgate run for another one",
    );
  const { way, seen } = await findWay(flags, settings, io);
  const config = parseConfig({ flags: { ...flags, ...flagsOf(way, settings) }, environment: io.environment });
  const embedded = readInstance({ file: instance, instanceId, account: config.account, region: config.region });
  const { clock, random } = createWorld(config);
  await using services = await startEmbeddedAws({
    instance: embedded,
    httpTokens,
    hasOtherSts: aws || config.stsEndpoint !== undefined,
    clock,
    random,
  });
  const wired: Config = { ...config, upstream: services.imds, stsEndpoint: services.sts ?? config.stsEndpoint };
  const world = createWorld(wired);
  const operatorCredentials = developerCredentials(aws, world.operatorCredentials);
  const story = { way, seen, config, sts: stsText(aws, config.stsEndpoint) };
  return await serveGateway(
    { config: wired, world: { ...world, operatorCredentials }, readyText: (ready, isJson) => readyText(ready, story, isJson) },
    io,
  );
}

function settingsFrom(flags: Readonly<Record<string, unknown>>, { environment }: CommandIo): Settings {
  const path = flags["config"] ?? environment["IMDSGATE_CONFIG"];
  return gatherSettings({ flags, environment, file: path === undefined ? undefined : readConfigFile(String(path)) });
}

/** With rules, what is said of loopback would contradict them: whether there will be any is not known yet. */
async function findWay(
  flags: Readonly<Record<string, unknown>>,
  settings: Settings,
  io: CommandIo,
): Promise<{ way: Way; seen: Surroundings }> {
  const unruled = { ...flags, rules: "none", "listen-unprotected": true };
  const { docker, runtime, workloads } = parseConfig({ flags: unruled, environment: io.environment });
  const seen = await lookAround({ docker, runtime }, systemClock, io.signal);
  return { way: chooseWay(seen, { rules: settings.get("rules")?.[0]?.text, workloads }), seen };
}

/** Where no rules are wanted, the listener is what keeps others out: on loopback, or on an address of containers. */
function flagsOf({ kind, listen }: Way, settings: Settings): Readonly<Record<string, unknown>> {
  if (listen === undefined) return {};
  const at = isSet(settings, "listen") ? {} : { listen: [endpointText(listen)] };
  return { rules: "none", "listen-unprotected": true, ...at, ...(kind === "loopback" ? { runtime: "none" } : {}) };
}

function isSet(settings: Settings, name: string): boolean {
  return (settings.get(name) ?? []).length > 0;
}

function stsText(isAws: boolean, endpoint: string | undefined): string {
  const keys = isAws ? "your own keys" : "the embedded instance's keys, which are no AWS's";
  if (endpoint !== undefined) return `${endpoint}, asked with ${keys}`;
  return isAws
    ? "AWS's own, asked with your own keys: the roles and their credentials are real"
    : "embedded: its credentials are fake, and no AWS takes them";
}

interface Story {
  readonly way: Way;
  readonly seen: Surroundings;
  readonly config: Config;
  readonly sts: string;
}

/** What `run` says, then which way was chosen and why, whose credentials these are, and what to type next. */
function readyText(ready: Ready, { way, seen, config, sts }: Story, isJson: boolean): string {
  const [first = { host: "127.0.0.1", port: 0 }] = config.listen;
  const port = Number(/:(\d+)$/.exec(ready.listen[0] ?? "")?.[1] ?? first.port);
  const listening = { host: first.host, port };
  const next = nextCommands({ way, seen, listening, name: nameOf(config) });
  if (isJson) return `${JSON.stringify({ event: "ready", ...ready, way: way.kind, reason: way.reason, sts, next })}\n`;
  const lines = [
    `way   ${way.kind}: ${wayText(way, listening)}`,
    `why   ${way.reason}`,
    `sts   ${sts}`,
    ...next.map((command) => `try   ${command}`),
  ];
  return `${readyLine(ready, false)}${lines.join("\n")}\n`;
}

/** The name of a container that has a role, as far as a binding says one. */
function nameOf({ policy, workloads }: Config): string {
  const names = policy.bindings.map(({ selector }) => (selector.kind === "name" ? selector.pattern : ""));
  return names.find((name) => /^[\w.-]+$/.test(name)) ?? workloads[0]?.name ?? "app";
}
