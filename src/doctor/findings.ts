import type { ForeignRefusal } from "../rules/foreign-refusals.ts";

/** What was found out about this host. Undefined: it could not be found out. */
export interface HostState {
  readonly node: string;
  /** The backend that would put the rules in and why, or why there is none. */
  readonly backend: { readonly name: string; readonly reason: string } | { readonly problem: string };
  /** False when the kernel's rules may not be seen: then neither `redirectPort` nor `foreignRefusals` says anything. */
  readonly maySeeRules: boolean;
  /** The port that a redirect of ours leads to. */
  readonly redirectPort: number | undefined;
  readonly foreignRefusals: readonly ForeignRefusal[];
  readonly hasConntrackTool: boolean;
  /** Whether iptables sees what passes a bridge; undefined without the module. */
  readonly bridgeFilter: boolean | undefined;
  /** 0 off, 1 strict, 2 loose. */
  readonly reversePath: number | undefined;
  readonly hasIpv6: boolean;
  /** What would hold containers to their own addresses, or why nothing can. */
  readonly guard: { readonly tool: string } | { readonly problem: string };
  /** How containers with the host's network are caught. */
  readonly hostNetwork: { readonly window: "none" | "short" | "uncovered"; readonly reason: string };
  readonly canReadProcesses: boolean;
  readonly runtime: RuntimeState;
}

/** What the container runtime says; `none` where the operator has none. */
export type RuntimeState =
  | { readonly kind: "none" }
  | { readonly kind: "silent"; readonly problem: string }
  | {
      readonly kind: "answers";
      readonly name: string;
      readonly containers: number;
      readonly networks: readonly UncoveredNetwork[];
      readonly onHostNetwork: readonly HostNetworkContainer[];
    };

/** A container with the host's network. */
interface HostNetworkContainer {
  readonly name: string;
  /** Whether `--host-role` lets it keep the host's role. */
  readonly keepsHostRole: boolean;
}

/** A network whose packets never pass this host's rules, and who is on it. */
export interface UncoveredNetwork {
  readonly name: string;
  readonly driver: string;
  readonly containers: number;
}

/** One check: what was found, and what helps. */
export interface Finding {
  /** A name that stays: scripts may look for it. */
  readonly code: string;
  readonly outcome: "ok" | "warn" | "fail";
  readonly detail: string;
  /** Commands or steps that help, one a line; none where nothing needs help. */
  readonly fix: readonly string[];
}

/** Judges a host, check by check, in the order in which they build on each other. */
export function findingsOf(host: HostState): readonly Finding[] {
  return [
    nodeFinding(host),
    backendFinding(host),
    redirectFinding(host),
    ...foreignFindings(host),
    conntrackFinding(host),
    guardFinding(host),
    ok("BRIDGE_FILTER", bridgeFilterText(host)),
    ok("REVERSE_PATH", reversePathText(host)),
    ok("IPV6", host.hasIpv6 ? "on; fd00:ec2::254 is redirected as well" : "off on this host"),
    processesFinding(host),
    runtimeFinding(host),
    ...uncoveredFindings(host),
    hostNetworkFinding(host),
  ];
}

const NODE_MAJOR = 24;

function nodeFinding({ node }: HostState): Finding {
  if (Number(node.split(".")[0]) >= NODE_MAJOR) return ok("NODE", node);
  return fail("NODE", `${node} is too old`, [
    `install Node ${NODE_MAJOR} or newer, or start imdsgate by scripts/imdsgate, which brings its own`,
  ]);
}

function backendFinding({ backend }: HostState): Finding {
  return "problem" in backend ? fail("RULES_BACKEND", backend.problem, []) : ok("RULES_BACKEND", `${backend.name}: ${backend.reason}`);
}

function redirectFinding({ maySeeRules, redirectPort }: HostState): Finding {
  if (!maySeeRules) return warn("REDIRECT", "the kernel's rules may not be seen as this user", ["sudo imdsgate doctor"]);
  if (redirectPort !== undefined) return ok("REDIRECT", `what containers ask of the metadata service goes to port ${redirectPort}`);
  return warn("REDIRECT", "no redirect of imdsgate stands: containers reach the real metadata service, and this host's role, or nothing", [
    "sudo imdsgate run …   puts it in",
    "sudo imdsgate rules apply   closes the metadata service to containers until then",
  ]);
}

function foreignFindings({ maySeeRules, foreignRefusals }: HostState): readonly Finding[] {
  if (!maySeeRules) return [];
  if (foreignRefusals.length === 0) return [ok("FOREIGN_RULES", "no nftables chain of others refuses redirected requests")];
  return foreignRefusals.map(({ chain, help }) =>
    fail("FOREIGN_RULES", `the chain ${chain} refuses redirected requests, and no rule of ours can outweigh it`, [
      ...help,
      "and the same in the file that this table is loaded from",
    ]),
  );
}

function conntrackFinding({ hasConntrackTool }: HostState): Finding {
  if (hasConntrackTool) return ok("CONNTRACK", "connections older than the rules are ended at once");
  return warn("CONNTRACK", "connections that are older than the rules linger until they time out", ['install the package "conntrack"']);
}

function guardFinding({ guard }: HostState): Finding {
  if ("tool" in guard) return ok("GUARD", `${guard.tool} holds containers to their own addresses on the bridges`);
  return warn(
    "GUARD",
    `${guard.problem} Each connection is proven by the socket of its container instead, which costs about a millisecond`,
    ["a neighbour with NET_RAW can still read along by poisoned ARP: start containers with --cap-drop NET_RAW"],
  );
}

function bridgeFilterText({ bridgeFilter }: HostState): string {
  if (bridgeFilter === undefined) return "the module br_netfilter is not loaded; the redirect does not need it";
  return bridgeFilter ? "on: iptables sees what passes a bridge; the redirect works either way" : "off; the redirect does not need it";
}

function reversePathText({ reversePath }: HostState): string {
  if (reversePath === undefined) return "unknown";
  if (reversePath !== 1) return reversePath === 0 ? "off" : "loose";
  return "strict: of a container with two networks, what it sends from the second one's address may be dropped by the kernel";
}

function processesFinding({ canReadProcesses }: HostState): Finding {
  if (canReadProcesses) return ok("PROCESSES", "the addresses of other processes can be read");
  return fail("PROCESSES", "/proc does not show the addresses of other processes, so no container can be proven", [
    "start imdsgate where the host's /proc is: without hidepid, in the host's pid namespace, or with --proc-root DIR",
  ]);
}

function runtimeFinding({ runtime }: HostState): Finding {
  switch (runtime.kind) {
    case "none":
      return ok("RUNTIME", "--runtime none: static workloads alone");
    case "silent":
      return fail("RUNTIME", runtime.problem, ["where there is none to be: --runtime none"]);
    case "answers":
      return ok("RUNTIME", `${runtime.name} answers: ${runtime.containers} running`);
  }
}

function uncoveredFindings({ runtime }: HostState): readonly Finding[] {
  if (runtime.kind !== "answers") return [];
  return runtime.networks.map(({ name, driver, containers }) =>
    fail(
      "UNCOVERED",
      `${containers} on the network ${name} (${driver}): their packets never pass this host's rules, so they reach the real metadata service`,
      ["move them to a bridge network; the instance's hop limit keeps nothing from them, since no hop lies between"],
    ),
  );
}

const HOST_NETWORK = {
  none: "reaches nothing before it is led to the gateway",
  short: "is led to the gateway a moment after it starts, and reaches the real metadata service until then",
  uncovered: "reaches the real metadata service, and this host's role",
} as const;

function hostNetworkFinding({ hostNetwork: { window, reason }, runtime }: HostState): Finding {
  const found = runtime.kind === "answers" ? runtime.onHostNetwork : [];
  const named = (keeps: boolean) => found.filter(({ keepsHostRole }) => keepsHostRole === keeps).map(({ name }) => name);
  const [keeping, losing] = [named(true), named(false)];
  const here = [
    ...(losing.length === 0 ? [] : [`without the host's role once imdsgate runs: ${losing.join(", ")}`]),
    ...(keeping.length === 0 ? [] : [`with the host's role by --host-role: ${keeping.join(", ")}`]),
  ];
  const detail = [`a container with --network host ${HOST_NETWORK[window]}: ${reason.replace(/\.$/, "")}`, ...here].join("; ");
  const fix = [
    ...(window === "none"
      ? []
      : [
          "give such containers a network of their own, or this host nftables (apt-get install nftables, kernel 5.13), or Docker's daemon the cgroupfs driver",
        ]),
    ...losing.map((name) => `--host-role name:${name}   where it must keep the host's role`),
  ];
  if (window === "none" && losing.length === 0) return ok("HOST_NETWORK", detail);
  return window === "uncovered" && found.length > 0 ? fail("HOST_NETWORK", detail, fix) : warn("HOST_NETWORK", detail, fix);
}

function ok(code: string, detail: string): Finding {
  return { code, outcome: "ok", detail, fix: [] };
}

function warn(code: string, detail: string, fix: readonly string[]): Finding {
  return { code, outcome: "warn", detail, fix };
}

function fail(code: string, detail: string, fix: readonly string[]): Finding {
  return { code, outcome: "fail", detail, fix };
}
