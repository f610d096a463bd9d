import type { Endpoint } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { DockerEndpoint } from "../identity/docker-endpoint.ts";
import type { StaticWorkload } from "../identity/workload.ts";
import type { Policy } from "../policy/decide.ts";
import { type DeniedPath, parseDeniedPath } from "../policy/denied-path.ts";
import { type HostRole, parseHostRole } from "../policy/host-role.ts";
import { durationWarning } from "../policy/session-limits.ts";
import { readConfigFile } from "./config-file.ts";
import { refuseContradictions } from "./contradictions.ts";
import { dockerFrom, dockerWarnings, parseSocket, USUAL_SOCKETS } from "./docker-host.ts";
import { parseInterface, parseListen, parseProcRoot, parseRate, parseRegion, parseUpstream, parseUrl, parseWorkload } from "./places.ts";
import { policyFrom } from "./policy-settings.ts";
import { choiceOf, listOf, matching, oneOf, orOf, switchOf, textOf } from "./read-settings.ts";
import { gatherSettings, type Settings } from "./settings.ts";

/** All that a run is told, checked. Made by `parseConfig`; past it nothing is checked again. */
export interface Config {
  readonly policy: Policy;
  readonly account: string | undefined;
  readonly region: string | undefined;
  readonly workloads: readonly StaticWorkload[];
  /** Containers with the host's network that keep the host's role. */
  readonly hostRoles: readonly HostRole[];
  /** All with the same port; 0 takes a free one. */
  readonly listen: readonly Endpoint[];
  /** The real IMDS: an address, a name, or the embedded one. */
  readonly upstream: Endpoint;
  readonly stsEndpoint: string | undefined;
  readonly rules: "auto" | "nftables" | "iptables" | "external" | "none";
  readonly interfaces: readonly string[];
  readonly runtime: "docker" | "podman" | "none";
  /** Where Docker's API, or Podman's copy of it, is; undefined with `--runtime none`. */
  readonly docker: DockerEndpoint | undefined;
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
  const runtime = choiceOf(settings, "runtime", ["docker", "podman", "none"]);
  const docker = runtime === "none" ? undefined : dockerAt(settings, environment, runtime);
  const config: Config = {
    policy,
    account: matching(settings, "account", /^\d{12}$/, "12 digits", "111122223333"),
    region: orOf(settings, "region", ["AWS_REGION", "AWS_DEFAULT_REGION"], environment, parseRegion),
    workloads: listOf(settings, "workload", parseWorkload),
    hostRoles: listOf(settings, "host-role", parseHostRole),
    listen: listenFrom(settings),
    upstream: oneOf(settings, "upstream", parseUpstream) ?? { host: "169.254.169.254", port: 80 },
    stsEndpoint: orOf(settings, "sts-endpoint", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"], environment, parseUrl),
    rules: choiceOf(settings, "rules", ["auto", "nftables", "iptables", "external", "none"]),
    interfaces: listOf(settings, "interface", parseInterface),
    runtime,
    docker,
    deniedPaths: listOf(settings, "deny-path", parseDeniedPath),
    unknown: choiceOf(settings, "unknown", ["metadata-only", "deny"]),
    unbound: choiceOf(settings, "unbound", ["metadata-only", "no-tokens"]),
    imdsRate: oneOf(settings, "imds-rate", parseRate),
    procRoot: oneOf(settings, "proc-root", parseProcRoot) ?? "/proc",
    logLevel: choiceOf(settings, "log-level", ["debug", "info", "warn", "error"], "info"),
    logFormat: choiceOf(settings, "log-format", ["auto", "json", "pretty"]),
    warnings: [...warningsFor(policy), ...(docker ? dockerWarnings(docker) : [])],
  };
  refuseContradictions(config, switchOf(settings, "listen-unprotected"));
  return config;
}

/** The flag wins over DOCKER_HOST, which then is not even looked at. */
function dockerAt(settings: Settings, environment: ConfigInput["environment"], runtime: "docker" | "podman"): DockerEndpoint {
  if (textOf(settings, "docker-socket") === undefined) return dockerFrom(environment, USUAL_SOCKETS[runtime]);
  return { kind: "unix", path: oneOf(settings, "docker-socket", parseSocket) ?? USUAL_SOCKETS[runtime] };
}

function warningsFor({ durationSeconds, bindings }: Policy): readonly string[] {
  const durations = bindings.map(({ session, text }) => [`duration of ${text}`, session.durationSeconds] as const);
  return [["--duration", durationSeconds] as const, ...durations].flatMap(([origin, seconds]) => {
    const warning = seconds === undefined ? undefined : durationWarning(seconds);
    return warning === undefined ? [] : [`${origin}: ${warning}`];
  });
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
