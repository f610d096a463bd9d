/** One setting of `run`: a flag, a variable `IMDSGATE_…` and a key of the file, all from this one description. */
export interface Flag {
  /** The flag without its dashes; the file's key is this in camelCase. */
  readonly name: string;
  readonly kind: "text" | "list" | "switch";
  /** What stands behind the flag in `--help`. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** In words where it is not a plain value. */
  readonly default?: string;
  readonly help: string;
  readonly group: "Roles" | "Identity" | "Gateway" | "Rules" | "STS" | "Output";
}

/** Every flag of `imdsgate run`, in the order in which `--help` and docs/flags.md show them. */
export const RUN_FLAGS: readonly Flag[] = [
  {
    name: "bind",
    kind: "list",
    value: "SELECTOR=ROLE",
    group: "Roles",
    help: "Give the workloads that SELECTOR names this role; the first match wins. Selectors: name:GLOB, image:GLOB, label:KEY=GLOB, compose:PROJECT/SERVICE, swarm:SERVICE, network:NAME, ip:CIDR. ROLE is an ARN, an alias, or a role's name in the host's account. Repeatable",
  },
  { name: "role", kind: "list", value: "ALIAS=ARN", group: "Roles", help: "Name an ARN, so that bindings stay short. Repeatable" },
  {
    name: "default-role",
    kind: "text",
    value: "ROLE",
    group: "Roles",
    default: "none",
    help: "The role of known workloads that no binding names. An unknown source address never gets it",
  },
  {
    name: "account",
    kind: "text",
    value: "ID",
    group: "Roles",
    default: "asked of STS",
    help: "The account of bare role names, 12 digits",
  },
  {
    name: "session-name",
    kind: "text",
    value: "TEMPLATE",
    group: "Roles",
    default: "{workload}-{id}, or {host} with --session-scope role",
    help: "The role session name, as CloudTrail shows it. Variables: {workload} {id} {image} {host} {compose.service} {label:KEY}",
  },
  {
    name: "session-scope",
    kind: "text",
    value: "SCOPE",
    choices: ["container", "role"],
    group: "Roles",
    default: "container",
    help: "container: each container has a session of its own. role: the containers of a role share one on this host, for large fleets, since STS takes 600 AssumeRole a second for an account and Region; session names (then {host} by default), tags and source identities may hold no variable but {host}, and the audit line alone tells which container it was",
  },
  {
    name: "duration",
    kind: "text",
    value: "SECONDS",
    group: "Roles",
    default: "3600",
    help: "How long a session lasts, 900 to 43200. Below 3600 some SDKs refresh on every request; with the instance's role as base STS allows 3600 at most. In the file a binding may have its own",
  },
  {
    name: "external-id",
    kind: "list",
    value: "ROLE=ID",
    group: "Roles",
    help: "Send this external id when assuming ROLE (written as in the binding). Repeatable",
  },
  {
    name: "runtime",
    kind: "text",
    value: "NAME",
    choices: ["docker", "podman", "none"],
    group: "Identity",
    default: "docker",
    help: "Where containers are listed. podman: its API has to be on (systemctl enable --now podman.socket)",
  },
  {
    name: "docker-socket",
    kind: "text",
    value: "PATH",
    group: "Identity",
    default: "/var/run/docker.sock, or DOCKER_HOST; with --runtime podman /run/podman/podman.sock",
    help: "The Docker daemon's unix socket; it is only read (GET). DOCKER_HOST may also be tcp://HOST:PORT, over TLS with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH: the daemon of this very host, on loopback or behind a socket proxy in a container. What runs on another host can not be proven here",
  },
  {
    name: "workload",
    kind: "list",
    value: "NAME=ADDRESS",
    group: "Identity",
    help: "A workload that is no container (a VM, a jail): whoever speaks from ADDRESS is NAME. Bind it with name: or ip:. Loopback addresses only with --rules none. Repeatable",
  },
  {
    name: "host-role",
    kind: "list",
    value: "SELECTOR",
    group: "Identity",
    help: "Let this container with the host's network (the ECS agent, a CNI, the SSM agent) keep the host's own role; audited at every use. name:NAME or image:IMAGE, exact. Repeatable",
  },
  {
    name: "unknown",
    kind: "text",
    value: "MODE",
    choices: ["metadata-only", "deny"],
    group: "Identity",
    default: "metadata-only",
    help: "What a source that is no known workload gets: all but the IAM tree, or nothing",
  },
  {
    name: "require-imdsv2",
    kind: "switch",
    group: "Gateway",
    help: "Refuse every request without an IMDS token (401), also where the instance still allows IMDSv1. In the file a binding may say it for itself",
  },
  {
    name: "unbound",
    kind: "text",
    value: "MODE",
    choices: ["metadata-only", "no-tokens"],
    group: "Identity",
    default: "metadata-only",
    help: "What a source without a role gets: all but the IAM tree; or no IMDS tokens either, as with a response hop limit of 1: its token request ends in silence",
  },
  {
    name: "imds-rate",
    kind: "text",
    value: "N/s",
    group: "Gateway",
    default: "no limit",
    help: "Ask the real IMDS at most so often: more requests wait their turn, tokens first, no container before its turn. EC2 lets an instance send 1,024 packets a second there, a request takes about ten: 100/s keeps below",
  },
  {
    name: "proc-root",
    kind: "text",
    value: "DIR",
    group: "Identity",
    default: "/proc",
    help: "Where the host's /proc is, if imdsgate runs in a container",
  },
  {
    name: "listen",
    kind: "list",
    value: "HOST:PORT",
    group: "Gateway",
    default: "0.0.0.0:18169 and [::]:18169",
    help: "Where the gateway listens; port 0 takes a free one. All listeners share one port. Repeatable",
  },
  {
    name: "listen-unprotected",
    kind: "switch",
    group: "Gateway",
    help: "Allow a listener that is not loopback although --rules none leaves its port open to everyone",
  },
  { name: "upstream", kind: "text", value: "URL", group: "Gateway", default: "http://169.254.169.254", help: "The real IMDS" },
  {
    name: "deny-path",
    kind: "list",
    value: "PREFIX",
    group: "Gateway",
    help: "Withhold this path below the version (404), and its line in the listings: user-data, meta-data/tags, dynamic/instance-identity … Denying dynamic/instance-identity breaks the region look-up of the Go SDK v1, of Beats, and Vault's EC2 login; leaving it open lets a container log in to Vault as this instance. Repeatable",
  },
  {
    name: "rules",
    kind: "text",
    value: "BACKEND",
    choices: ["auto", "nftables", "iptables", "external", "none"],
    group: "Rules",
    default: "auto",
    help: "What puts the redirect into the kernel. auto takes what this host uses and says why; external: another unit owns the rules; none: no redirect",
  },
  {
    name: "interface",
    kind: "list",
    value: "GLOB",
    group: "Rules",
    default: "every one but loopback and those with a default route",
    help: "Redirect what arrives on these interfaces alone; a trailing * matches any ending. Repeatable",
  },
  {
    name: "sts-endpoint",
    kind: "text",
    value: "URL",
    group: "STS",
    default: "the region's, or AWS_ENDPOINT_URL_STS",
    help: "Another STS: LocalStack, moto, a VPC endpoint",
  },
  {
    name: "region",
    kind: "text",
    value: "NAME",
    group: "STS",
    default: "AWS_REGION, else the instance's",
    help: "The region whose STS is asked",
  },
  {
    name: "log-level",
    kind: "text",
    value: "LEVEL",
    choices: ["debug", "info", "warn", "error"],
    group: "Output",
    default: "info",
    help: "debug also tells each request that was passed through. Vends and refusals are told at every level",
  },
  {
    name: "log-format",
    kind: "text",
    value: "FORMAT",
    choices: ["auto", "json", "pretty"],
    group: "Output",
    default: "auto",
    help: "auto: pretty on a terminal, else one JSON object a line. Log and audit go to stderr",
  },
];

/** The file's key of a flag: `deny-path` is `denyPath`. */
export function keyOf(flag: Flag): string {
  return flag.name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The variable of a flag: `deny-path` is `IMDSGATE_DENY_PATH`. A list is separated by line feeds. */
export function variableOf(flag: Flag): string {
  return `IMDSGATE_${flag.name.replaceAll("-", "_").toUpperCase()}`;
}
