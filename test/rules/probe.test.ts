import { expect, test } from "vitest";
import { probeRules } from "../../src/rules/probe.ts";
import { type Answer, scriptedRun } from "./scripted-run.ts";

const DEBIAN: Readonly<Record<string, Answer>> = {
  "iptables -V": { stdout: "iptables v1.8.9 (nf_tables)\n" },
  "iptables-nft -V": { stdout: "iptables v1.8.9 (nf_tables)\n" },
  "iptables-legacy -V": { stdout: "iptables v1.8.9 (legacy)\n" },
  "nft --version": { stdout: "nftables v1.0.6\n" },
  "nft -j list tables": { stdout: "{}" },
  "nft --check -f -": {},
  "iptables-nft-save": {},
  "iptables-legacy-save": {},
};
const CLEAN = { holdsRules: false, hasDocker: false, refusesInput: false };

test("a fresh Debian has every tool and no rules", async () => {
  expect(await probeRules(scriptedRun(DEBIAN).run)).toEqual({
    hasNft: true,
    nftProblem: undefined,
    nftOwners: [],
    nft: { program: "iptables-nft", ...CLEAN },
    legacy: { program: "iptables-legacy", ...CLEAN },
    standard: "nft",
    maySeeRules: true,
  });
});

const DOCKER = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n";
const UFW = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const RED_HAT = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n";
const PARTIAL = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n";
const OURS =
  "*mangle\n:INPUT ACCEPT [0:0]\n:IMDSGATE-IN - [0:0]\n-A INPUT -j IMDSGATE-IN\n-A IMDSGATE-IN ! -i lo -d 169.254.169.254/32 -j DROP\nCOMMIT\n";

test.for([
  { title: "Docker", saved: DOCKER, claims: { holdsRules: true, hasDocker: true, refusesInput: false } },
  { title: "an INPUT policy of DROP", saved: UFW, claims: { holdsRules: true, hasDocker: false, refusesInput: true } },
  { title: "a last rule that rejects all", saved: RED_HAT, claims: { holdsRules: true, hasDocker: false, refusesInput: true } },
  { title: "a rule that drops one port", saved: PARTIAL, claims: { holdsRules: true, hasDocker: false, refusesInput: false } },
  { title: "our own rules, which do not count", saved: OURS, claims: CLEAN },
])("a look at iptables tells of $title", async ({ saved, claims }) => {
  const probe = await probeRules(scriptedRun({ ...DEBIAN, "iptables-legacy-save": { stdout: saved } }).run);
  expect(probe.legacy).toEqual({ program: "iptables-legacy", ...claims });
});

test("an iptables from before the variants is legacy under its plain name", async () => {
  const { run } = scriptedRun({ "iptables -V": { stdout: "iptables v1.6.2\n" }, "iptables-save": { stdout: DOCKER } });
  expect(await probeRules(run)).toEqual({
    hasNft: false,
    nftProblem: undefined,
    nftOwners: [],
    nft: undefined,
    legacy: { program: "iptables", holdsRules: true, hasDocker: true, refusesInput: false },
    standard: "legacy",
    maySeeRules: true,
  });
});

test("an ordinary user may not see the rules", async () => {
  const denied = { exitCode: 4, stderr: "Could not fetch rule set generation id: Permission denied (you must be root)\n" };
  const { run } = scriptedRun({ ...DEBIAN, "iptables-nft-save": denied });
  expect((await probeRules(run)).maySeeRules).toBe(false);
});

test("a look runs nothing that could change the host", async () => {
  const { run, calls } = scriptedRun(DEBIAN);
  await probeRules(run);
  expect(calls.map((call) => call.split("\n", 1)[0]).sort()).toEqual(Object.keys(DEBIAN).sort());
});
