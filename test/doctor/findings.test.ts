import { describe, expect, test } from "vitest";
import { findingsOf, type HostState } from "../../src/doctor/findings.ts";

const SOUND: HostState = {
  node: "24.21.0",
  backend: { name: "nftables", reason: "nft is installed." },
  maySeeRules: true,
  redirectPort: 18169,
  foreignRefusals: [],
  hasConntrackTool: true,
  bridgeFilter: false,
  reversePath: 2,
  hasIpv6: true,
  guard: { tool: "nft" },
  hostNetwork: { window: "none", reason: "all containers live below /docker." },
  canReadProcesses: true,
  runtime: { kind: "answers", name: "docker", containers: 3, networks: [], onHostNetwork: [] },
};

/** A runtime with containers on the host's network; `ecs-agent` keeps the host's role. */
function withAgents(...names: readonly string[]): HostState["runtime"] {
  const onHostNetwork = names.map((name) => ({ name, keepsHostRole: name === "ecs-agent" }));
  return { kind: "answers", name: "docker", containers: names.length, networks: [], onHostNetwork };
}

function outcomes(state: Partial<HostState>): readonly string[] {
  return findingsOf({ ...SOUND, ...state })
    .filter(({ outcome }) => outcome !== "ok")
    .map(({ outcome, code, detail }) => `${outcome} ${code} ${detail}`);
}

describe("a look at a host", () => {
  test("finds nothing wrong with a sound one", () => {
    expect(findingsOf(SOUND).map(({ outcome, code }) => `${outcome} ${code}`)).toEqual([
      "ok NODE",
      "ok RULES_BACKEND",
      "ok REDIRECT",
      "ok FOREIGN_RULES",
      "ok CONNTRACK",
      "ok GUARD",
      "ok BRIDGE_FILTER",
      "ok REVERSE_PATH",
      "ok IPV6",
      "ok PROCESSES",
      "ok RUNTIME",
      "ok HOST_NETWORK",
    ]);
  });

  test.for<{ title: string; state: Partial<HostState>; said: string }>([
    { title: "an old Node", state: { node: "20.11.1" }, said: "fail NODE 20.11.1 is too old" },
    {
      title: "no tool for rules",
      state: { backend: { problem: "nft is not installed, and iptables is not installed." } },
      said: "fail RULES_BACKEND nft is not installed, and iptables is not installed.",
    },
    {
      title: "no redirect",
      state: { redirectPort: undefined },
      said: "warn REDIRECT no redirect of imdsgate stands: containers reach the real metadata service, and this host's role, or nothing",
    },
    {
      title: "an ordinary user",
      state: { maySeeRules: false, redirectPort: undefined },
      said: "warn REDIRECT the kernel's rules may not be seen as this user",
    },
    {
      title: "a strict chain of others",
      state: { foreignRefusals: [{ chain: "inet firewall input", help: ["nft insert rule …"] }] },
      said: "fail FOREIGN_RULES the chain inet firewall input refuses redirected requests, and no rule of ours can outweigh it",
    },
    {
      title: "no conntrack tool",
      state: { hasConntrackTool: false },
      said: "warn CONNTRACK connections that are older than the rules linger until they time out",
    },
    {
      title: "a hidden /proc",
      state: { canReadProcesses: false },
      said: "fail PROCESSES /proc does not show the addresses of other processes, so no container can be proven",
    },
    { title: "a silent Docker", state: { runtime: { kind: "silent", problem: "nobody answers" } }, said: "fail RUNTIME nobody answers" },
    {
      title: "no bridge guard",
      state: { guard: { problem: "nft is not installed." } },
      said: "warn GUARD nft is not installed. Each connection is proven by the socket of its container instead, which costs about a millisecond",
    },
    {
      title: "a window at the start of host-network containers",
      state: { hostNetwork: { window: "short", reason: "containers share /system.slice with services." } },
      said: "warn HOST_NETWORK a container with --network host is led to the gateway a moment after it starts, and reaches the real metadata service until then: containers share /system.slice with services",
    },
    {
      title: "host-network containers that cannot be told from the host",
      state: { hostNetwork: { window: "uncovered", reason: "this host has cgroup v1 alone." }, runtime: withAgents("node-exporter") },
      said: "fail HOST_NETWORK a container with --network host reaches the real metadata service, and this host's role: this host has cgroup v1 alone; without the host's role once imdsgate runs: node-exporter",
    },
    {
      title: "who loses the host's role",
      state: { runtime: withAgents("node-exporter", "ecs-agent") },
      said: "warn HOST_NETWORK a container with --network host reaches nothing before it is led to the gateway: all containers live below /docker; without the host's role once imdsgate runs: node-exporter; with the host's role by --host-role: ecs-agent",
    },
    {
      title: "containers on macvlan",
      state: {
        runtime: {
          kind: "answers",
          name: "docker",
          containers: 2,
          networks: [{ name: "lan", driver: "macvlan", containers: 2 }],
          onHostNetwork: [],
        },
      },
      said: "fail UNCOVERED 2 on the network lan (macvlan): their packets never pass this host's rules, so they reach the real metadata service",
    },
  ])("tells of $title, and of nothing else", ({ state, said }) => {
    expect(outcomes(state)).toEqual([said]);
  });

  test("has help for everything that is not right", () => {
    const broken = findingsOf({
      ...SOUND,
      node: "20.0.0",
      redirectPort: undefined,
      foreignRefusals: [{ chain: "inet a b", help: ["nft insert rule inet a b accept"] }],
      hasConntrackTool: false,
      canReadProcesses: false,
      runtime: { kind: "silent", problem: "nobody answers" },
    });
    expect(broken.filter(({ outcome, fix }) => outcome !== "ok" && fix.length === 0)).toEqual([]);
  });

  test.for([
    {
      state: { bridgeFilter: undefined },
      code: "BRIDGE_FILTER",
      detail: "the module br_netfilter is not loaded; the redirect does not need it",
    },
    {
      state: { reversePath: 1 },
      code: "REVERSE_PATH",
      detail: "strict: of a container with two networks, what it sends from the second one's address may be dropped by the kernel",
    },
    { state: { hasIpv6: false }, code: "IPV6", detail: "off on this host" },
    { state: { runtime: { kind: "none" as const } }, code: "RUNTIME", detail: "--runtime none: static workloads alone" },
  ])("says of $code: $detail", ({ state, code, detail }) => {
    expect(findingsOf({ ...SOUND, ...state })).toContainEqual({ code, outcome: "ok", detail, fix: [] });
  });
});
