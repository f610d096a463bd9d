import { hostname } from "node:os";
import { type Endpoint, endpointText } from "../address.ts";
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
import { isLoopback, parseListen, parseProcRoot, parseRegion, parseSocket, parseUpstream, parseUrl, parseWorkload } from "./places.ts";
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
    procRoot: oneOf(settings, "proc-root", parseProcRoot) ?? "/proc",
    logLevel: choiceOf(settings, "log-level", ["debug", "info", "warn", "error"], "info"),
    logFormat: choiceOf(settings, "log-format", ["auto", "json", "pretty"]),
    warnings: warningsFor(policy, environment["DOCKER_HOST"]),
  };
  refuseStrayExternalIds(policy);
  refuseOpenListener(config, settings);
  refuseUnreachableListener(config);
  refuseLoopbackWorkloads(config);
  refuseSharedAddresses(config);
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
  };
}

function bindingFrom(setting: Setting, aliases: ReadonlyMap<string, RoleArn>): RoleBinding {
  const binding = parsed(setting, (text) => parseRoleBinding(text, aliases));
  const { externalId } = setting;
  return externalId === undefined ? binding : { ...binding, externalId: parsed({ ...setting, text: externalId }, parseExternalId) };
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

function parseInterface(text: string): Parsed<string> {
  if (/^(\*|[A-Za-z0-9_.][A-Za-z0-9_.@:-]{0,14}\*?)$/.test(text)) return { value: text };
  return {
    problem: `${JSON.stringify(text)} is no interface name`,
    allowed: "a name of up to 15 letters, digits and _.@:-, * only at its end",
    example: "br-*",
  };
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

/** An external id for a role that nothing gives would never be sent, and that role's session would be made without it. */
function refuseStrayExternalIds({ externalIds, bindings, defaultRole }: Policy): void {
  const roles = [...bindings.map(({ role }) => role), ...(defaultRole ? [defaultRole] : [])];
  const written = new Set(roles.flatMap((role) => [role.text, ...(role.kind === "arn" ? [role.role.arn] : [])]));
  for (const key of externalIds.keys()) {
    if (!written.has(key))
      throw new ImdsgateError(
        "CONFIG_INVALID",
        `--external-id: no binding gives the role ${JSON.stringify(key)}; write it as the binding does`,
      );
  }
}

/** Without rules nothing keeps others from the gateway's port (docs/contract.md, A2 knows no other identity than the address). */
function refuseOpenListener({ rules, listen }: Config, settings: Settings): void {
  if (rules !== "none" || switchOf(settings, "listen-unprotected") || listen.every(({ host }) => isLoopback(host))) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    "--rules none leaves the gateway's port open to every neighbour; listen on loopback (--listen 127.0.0.1:18169), or say --listen-unprotected",
  );
}

/** A redirect lands on the address of the interface that the packet came in by, never on loopback. */
function refuseUnreachableListener({ rules, listen }: Config): void {
  const loopback = listen.find(({ host }) => isLoopback(host));
  if (rules === "none" || rules === "external" || !loopback) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--listen ${endpointText(loopback)}: the redirect never leads to loopback; listen on 0.0.0.0 and [::], the rules guard the port, or say --rules none`,
  );
}

function refuseSharedAddresses({ workloads }: Config): void {
  const shared = workloads.find(({ address }, k) => workloads.findIndex((other) => other.address === address) !== k);
  if (shared)
    throw new ImdsgateError(
      "CONFIG_INVALID",
      `--workload ${shared.name}=${shared.address}: another workload has that address; one address is one workload`,
    );
}

function refuseLoopbackWorkloads({ rules, workloads }: Config): void {
  const loopback = workloads.find(({ address }) => isLoopback(address));
  if (rules === "none" || !loopback) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--workload ${loopback.name}=${loopback.address}: a loopback address is a workload only with --rules none`,
  );
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
  const parse = (text: string): Parsed<boolean> =>
    text === "true" || text === "false"
      ? { value: text === "true" }
      : { problem: `${JSON.stringify(text)} is neither`, allowed: "true or false", example: "true" };
  return oneOf(settings, name, parse) ?? false;
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
