import { describe, expect, test } from "vitest";
import { chooseBackend } from "../../src/rules/choose-backend.ts";
import { probeRules } from "../../src/rules/probe.ts";
import { type Answer, scriptedRun } from "./scripted-run.ts";

/**
 * Hosts as they come, by what their programs print. Debian 12 was looked at; the others follow from the packages and defaults of the
 * distribution (versions, which variant `iptables` is, who writes rules) and from what each of these programs prints.
 */
interface NamedHost {
  readonly host: string;
  readonly says: Readonly<Record<string, Answer>>;
  readonly backend: string;
  readonly reason: string;
}

const OWN_TABLE = "nft is installed, and a table of our own outlives what others do to iptables.";

const DOCKER = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n";
const UFW = "*filter\n:INPUT DROP [0:0]\n:ufw-before-input - [0:0]\n-A INPUT -j ufw-before-input\nCOMMIT\n";
const KUBE_PROXY = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n";
const DENIED: Answer = { exitCode: 1, stderr: "netlink: Error: cache initialization failed: Operation not permitted\n" };

const nft = (version: string, tables: readonly (readonly [family: string, name: string])[] = []): Record<string, Answer> => ({
  "nft --version": { stdout: `nftables v${version}\n` },
  "nft -j list tables": {
    stdout: JSON.stringify({ nftables: [{ metainfo: {} }, ...tables.map(([family, name]) => ({ table: { family, name, handle: 1 } }))] }),
  },
  "nft --check -f -": {},
});

/** Both variants under their own names, and which of them the plain name is. */
const bothVariants = (version: string, standard: "nf_tables" | "legacy", saved: { nft?: string; legacy?: string } = {}) => ({
  "iptables -V": { stdout: `iptables v${version} (${standard})\n` },
  "iptables-nft -V": { stdout: `iptables v${version} (nf_tables)\n` },
  "iptables-legacy -V": { stdout: `iptables v${version} (legacy)\n` },
  "iptables-nft-save": { stdout: saved.nft ?? "" },
  "iptables-legacy-save": { stdout: saved.legacy ?? "" },
});

const nftVariantAlone = (version: string, saved = "") => ({
  "iptables -V": { stdout: `iptables v${version} (nf_tables)\n` },
  "iptables-nft -V": { stdout: `iptables v${version} (nf_tables)\n` },
  "iptables-nft-save": { stdout: saved },
});

const HOSTS: readonly NamedHost[] = [
  {
    host: "Debian 12 with Docker",
    says: { ...nft("1.0.6", [["ip", "nat"]]), ...bothVariants("1.8.9", "nf_tables", { nft: DOCKER }) },
    backend: "nftables",
    reason: OWN_TABLE,
  },
  {
    host: "Ubuntu 22.04 with Docker",
    says: { ...nft("1.0.2", [["ip", "nat"]]), ...bothVariants("1.8.7", "nf_tables", { nft: DOCKER }) },
    backend: "nftables",
    reason: OWN_TABLE,
  },
  {
    host: "Ubuntu 24.04 with ufw on",
    says: { ...nft("1.0.9"), ...bothVariants("1.8.10", "nf_tables", { nft: UFW }) },
    backend: "iptables-nft",
    reason: "INPUT of iptables refuses what it does not know, and only a rule in that very chain lets redirected requests in.",
  },
  {
    host: "Amazon Linux 2 with the ECS agent",
    says: { "iptables -V": { stdout: "iptables v1.8.4 (legacy)\n" }, "iptables-save": { stdout: DOCKER } },
    backend: "iptables-legacy",
    reason: "nft is not installed, and Docker's rules are in this variant.",
  },
  {
    host: "Amazon Linux 2 on kernel 4.14, nftables installed by hand",
    says: {
      ...nft("0.9.0"),
      "nft --check -f -": {
        exitCode: 1,
        stderr: "/dev/stdin:1:34-80: Error: Could not process rule: Operation not supported\ntable inet imdsgate-probe {\n",
      },
      "iptables -V": { stdout: "iptables v1.8.4 (legacy)\n" },
      "iptables-save": { stdout: DOCKER },
    },
    backend: "iptables-legacy",
    reason: "nft cannot do it on this kernel (Could not process rule: Operation not supported), and Docker's rules are in this variant.",
  },
  {
    host: "Amazon Linux 2023 with Docker, nftables not installed",
    says: nftVariantAlone("1.8.8", DOCKER),
    backend: "iptables-nft",
    reason: "nft is not installed, and Docker's rules are in this variant.",
  },
  {
    host: "Bottlerocket, from its admin container",
    says: { "iptables -V": { stdout: "iptables v1.8.11 (legacy)\n" }, "iptables-save": { stdout: KUBE_PROXY } },
    backend: "iptables-legacy",
    reason: "nft is not installed, and the rules of this host are in this variant.",
  },
  {
    host: "Flatcar with Docker",
    says: { ...nft("1.0.9", [["ip", "nat"]]), ...nftVariantAlone("1.8.8", DOCKER) },
    backend: "nftables",
    reason: OWN_TABLE,
  },
  {
    host: "RHEL 9 with firewalld",
    says: { ...nft("1.0.9", [["inet", "firewalld"]]), ...nftVariantAlone("1.8.10") },
    backend: "nftables",
    reason: `${OWN_TABLE} firewalld uses it too.`,
  },
  {
    host: "Docker 29 with its nftables backend",
    says: {
      ...nft("1.0.9", [
        ["ip", "docker-bridges"],
        ["ip6", "docker-bridges"],
      ]),
      ...bothVariants("1.8.10", "nf_tables"),
    },
    backend: "nftables",
    reason: `${OWN_TABLE} Docker uses it too.`,
  },
  {
    host: "Docker 29 with its nftables backend beside firewalld",
    says: {
      ...nft("1.1.1", [
        ["inet", "firewalld"],
        ["ip", "docker-bridges"],
      ]),
      ...nftVariantAlone("1.8.11"),
    },
    backend: "nftables",
    reason: `${OWN_TABLE} firewalld and Docker use it too.`,
  },
  {
    host: "CentOS 7, whose only tool is an iptables from before the variants",
    says: { "iptables -V": { stdout: "iptables v1.4.21\n" }, "iptables-save": { stdout: DOCKER } },
    backend: "iptables-legacy",
    reason: "nft is not installed, and Docker's rules are in this variant.",
  },
  {
    host: "Debian 12 without nftables, rules in both variants and Docker in legacy",
    says: bothVariants("1.8.9", "nf_tables", { nft: KUBE_PROXY, legacy: DOCKER }),
    backend: "iptables-legacy",
    reason: "nft is not installed, and Docker's rules are in this variant.",
  },
  {
    host: "Debian 12 with nftables, rules in both variants",
    says: { ...nft("1.0.6", [["ip", "nat"]]), ...bothVariants("1.8.9", "nf_tables", { nft: KUBE_PROXY, legacy: DOCKER }) },
    backend: "nftables",
    reason: OWN_TABLE,
  },
  {
    host: "Debian 12 as an ordinary user",
    says: {
      ...nft("1.0.6"),
      "nft -j list tables": DENIED,
      "nft --check -f -": DENIED,
      ...bothVariants("1.8.9", "nf_tables"),
    },
    backend: "nftables",
    reason: `${OWN_TABLE.slice(0, -1)}; without root the rules of other programs could not be looked at.`,
  },
];

describe("--rules auto", () => {
  test.for(HOSTS)("on $host: $backend", async ({ says, backend, reason }) => {
    const choice = chooseBackend("auto", await probeRules(scriptedRun(says).run));
    expect({ backend: choice.backend, reason: choice.reason }).toEqual({ backend, reason });
  });

  test("on a host with nothing installed: which package to install", async () => {
    const probe = await probeRules(scriptedRun({}).run);
    expect(() => chooseBackend("auto", probe)).toThrow(
      'nft is not installed, and iptables is not installed. Install the package "nftables" (or "iptables"), or run with --rules none.',
    );
  });

  test.for(["nftables", "iptables"] as const)("--rules %s wins over what was seen", async (wish) => {
    const debian = HOSTS.find(({ host }) => host === "Debian 12 with Docker")?.says ?? {};
    const { backend } = chooseBackend(wish, await probeRules(scriptedRun(debian).run));
    expect(backend).toBe(wish === "nftables" ? "nftables" : "iptables-nft");
  });
});
