import { hostname } from "node:os";
import type { Endpoint } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { StaticWorkload } from "../identity/workload.ts";
import { type Parsed, parsedOrThrow } from "../parsed.ts";
import type { Policy } from "../policy/decide.ts";
import { type DeniedPath, parseDeniedPath } from "../policy/denied-path.ts";
import { parseRoleAlias, parseRoleReference, type RoleArn } from "../policy/role-arn.ts";
import { parseRoleBinding, type RoleBinding } from "../policy/role-binding.ts";
import { durationWarning, parseDuration, parseExternalId } from "../policy/session-limits.ts";
import { DEFAULT_SESSION_NAME, parseSessionName } from "../policy/session-name.ts";
import { readConfigFile } from "./config-file.ts";
import { refuseContradictions } from "./contradictions.ts";
import {
  parseInterface,
  parseListen,
  parseProcRoot,
  parseRate,
  parseRegion,
  parseSocket,
  parseSwitch,
  parseUpstream,
  parseUrl,
  parseWorkload,
} from "./places.ts";
import { gatherSettings, type Setting, type Settings } from "./settings.ts";

/** All that a run is told, checked. Made by `parseConfig`; past it nothing is checked again. */
export interface Config {
  readonly policy: Policy;
  readonly account: string | undefined;
  readonly region: string | undefined;
  readonly workloads: readonly StaticWorkload[];
  /** All with the same port; 0 takes a free one. */
  readonly listen: readonly Endpoint[];
  /** The real IMDS: an address, a name, or the embedded one. */
  readonly upstream: Endpoint;
  readonly stsEndpoint: string | undefined;
  readonly rules: "auto" | "nftables" | "iptables" | "external" | "none";
  readonly interfaces: readonly string[];
  readonly runtime: "docker" | "none";
  /** Path of the Docker daemon's unix socket. */
  readonly dockerSocket: string;
  readonly deniedPaths: readonly DeniedPath[];
  readonly unknown: "metadata-only" | "deny";
  readonly unbound: "metadata-only" | "no-tokens";
  /** Requests to the real IMDS a second; undefined: no limit. */
  readonly imdsRate: number | undefined;
  readonly procRoot: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "auto" | "json" | "pretty";
  /** What is allowed but not wise, in sentences. */
  readonly warnings: readonly string[];
}

/** What the command line gave (by flag name, `config` too) and the environment. */
export interface ConfigInput {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads flags, variables and the file into one `Config`. Throws CONFIG_INVALID or CONFIG_UNREADABLE, naming what was set, what is allowed and an example. */
export function parseConfig({ flags, environment }: ConfigInput): Config {
  const path = flags["config"] ?? environment["IMDSGATE_CONFIG"];
  const settings = gatherSettings({ flags, environment, file: path === undefined ? undefined : readConfigFile(String(path)) });
  const policy = policyFrom(settings);
  const config: Config = {
    policy,
    account: matching(settings, "account", /^\d{12}$/, "12 digits", "111122223333"),
    region: orOf(settings, "region", ["AWS_REGION", "AWS_DEFAULT_REGION"], environment, parseRegion),
    workloads: listOf(settings, "workload", parseWorkload),
    listen: listenFrom(settings),
    upstream: oneOf(settings, "upstream", parseUpstream) ?? { host: "169.254.169.254", port: 80 },
    stsEndpoint: orOf(settings, "sts-endpoint", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"], environment, parseUrl),
    rules: choiceOf(settings, "rules", ["auto", "nftables", "iptables", "external", "none"]),
    interfaces: listOf(settings, "interface", parseInterface),
    runtime: choiceOf(settings, "runtime", ["docker", "none"]),
    dockerSocket: textOf(settings, "docker-socket") ?? parseSocket(environment["DOCKER_HOST"]),
    deniedPaths: listOf(settings, "deny-path", parseDeniedPath),
    unknown: choiceOf(settings, "unknown", ["metadata-only", "deny"]),
    unbound: choiceOf(settings, "unbound", ["metadata-only", "no-tokens"]),
    imdsRate: oneOf(settings, "imds-rate", parseRate),
    procRoot: oneOf(settings, "proc-root", parseProcRoot) ?? "/proc",
    logLevel: choiceOf(settings, "log-level", ["debug", "info", "warn", "error"], "info"),
    logFormat: choiceOf(settings, "log-format", ["auto", "json", "pretty"]),
    warnings: warningsFor(policy, environment["DOCKER_HOST"]),
  };
  refuseContradictions(config, switchOf(settings, "listen-unprotected"));
  return config;
}

function warningsFor({ durationSeconds }: Policy, dockerHost: string | undefined): readonly string[] {
  const duration = durationWarning(durationSeconds);
  const isOtherHost = dockerHost !== undefined && dockerHost !== "" && !dockerHost.startsWith("unix:///");
  return [
    ...(duration === undefined ? [] : [`--duration: ${duration}`]),
    ...(isOtherHost ? ["DOCKER_HOST names no unix socket of this host, so it is not used: see --docker-socket"] : []),
  ];
}

function policyFrom(settings: Settings): Policy {
  const aliases = new Map<string, RoleArn>();
  for (const { alias, role } of listOf(settings, "role", parseRoleAlias)) {
    if (aliases.has(alias)) throw new ImdsgateError("CONFIG_INVALID", `--role: the alias ${JSON.stringify(alias)} is given twice`);
    aliases.set(alias, role);
  }
  const idPairs = listOf(settings, "external-id", parseRoleAndId);
  const externalIds = new Map(idPairs);
  if (externalIds.size < idPairs.length)
    throw new ImdsgateError("CONFIG_INVALID", "--external-id: a role is given two external ids; give it one");
  return {
    bindings: (settings.get("bind") ?? []).map((setting) => bindingFrom(setting, aliases)),
    defaultRole:
      textOf(settings, "default-role") === "none"
        ? undefined
        : oneOf(settings, "default-role", (text) => parseRoleReference(text, aliases)),
    sessionName: oneOf(settings, "session-name", parseSessionName) ?? DEFAULT_SESSION_NAME,
    durationSeconds: oneOf(settings, "duration", parseDuration) ?? 3_600,
    externalIds,
    host: hostname(),
    requireImdsv2: switchOf(settings, "require-imdsv2"),
  };
}

function bindingFrom(setting: Setting, aliases: ReadonlyMap<string, RoleArn>): RoleBinding {
  const binding = parsed(setting, (text) => parseRoleBinding(text, aliases));
  const { externalId, requireImdsv2 } = setting;
  return {
    ...binding,
    externalId: externalId === undefined ? undefined : parsed({ ...setting, text: externalId }, parseExternalId),
    requireImdsv2: requireImdsv2 === undefined ? undefined : parsed({ ...setting, text: requireImdsv2 }, parseSwitch),
  };
}

/** `ROLE=ID`: the role ends at the first `=`; one whose name holds `=` needs an alias. */
function parseRoleAndId(text: string): Parsed<readonly [string, string]> {
  const split = text.indexOf("=");
  const id = parseExternalId(text.slice(split + 1));
  if (split <= 0)
    return {
      problem: `${JSON.stringify(text)} names no role`,
      allowed: "ROLE=ID, the role as the binding names it",
      example: "app=partner-7f3a",
    };
  return "problem" in id ? id : { value: [text.slice(0, split), id.value] };
}

function listenFrom(settings: Settings): readonly Endpoint[] {
  const given = listOf(settings, "listen", parseListen);
  const listen =
    given.length > 0
      ? given
      : [
          { host: "0.0.0.0", port: 18_169 },
          { host: "::", port: 18_169 },
        ];
  if (new Set(listen.map(({ port }) => port)).size > 1) {
    throw new ImdsgateError(
      "CONFIG_INVALID",
      "--listen: all listeners must share one port; example: --listen 0.0.0.0:18169 --listen [::]:18169",
    );
  }
  return listen;
}

function listOf<T>(settings: Settings, name: string, parse: (text: string) => Parsed<T>): readonly T[] {
  return (settings.get(name) ?? []).map((setting) => parsed(setting, parse));
}

function oneOf<T>(settings: Settings, name: string, parse: (text: string) => Parsed<T>): T | undefined {
  return listOf(settings, name, parse)[0];
}

/** A setting that also goes by variables that every AWS SDK reads; the first that is set counts. */
function orOf<T>(
  settings: Settings,
  name: string,
  variables: readonly string[],
  environment: ConfigInput["environment"],
  parse: (text: string) => Parsed<T>,
): T | undefined {
  const variable = variables.find((one) => environment[one]);
  const given = settings.get(name)?.[0] ?? (variable === undefined ? undefined : { origin: variable, text: environment[variable] ?? "" });
  return given === undefined || given.text === "" ? undefined : parsed(given, parse);
}

function textOf(settings: Settings, name: string): string | undefined {
  return settings.get(name)?.[0]?.text || undefined;
}

function switchOf(settings: Settings, name: string): boolean {
  return oneOf(settings, name, parseSwitch) ?? false;
}

/** The value of a setting with choices; `fallback` is the first choice unless given. */
function choiceOf<const C extends string>(settings: Settings, name: string, choices: readonly [C, ...C[]], fallback: C = choices[0]): C {
  const parse = (text: string): Parsed<C> => {
    const choice = choices.find((one) => one === text);
    return choice === undefined
      ? { problem: `${JSON.stringify(text)} is no choice`, allowed: choices.join(", "), example: fallback }
      : { value: choice };
  };
  return oneOf(settings, name, parse) ?? fallback;
}

function matching(settings: Settings, name: string, pattern: RegExp, allowed: string, example: string): string | undefined {
  return oneOf(settings, name, (text) =>
    pattern.test(text) ? { value: text } : { problem: `${JSON.stringify(text)} is not right`, allowed, example },
  );
}

function parsed<T>({ origin, text }: Setting, parse: (text: string) => Parsed<T>): T {
  return parsedOrThrow(origin, parse(text));
}
