import { expect, onTestFinished, test } from "vitest";
import type { BackendName } from "../../src/rules/backend.ts";
import { startCommandedHost } from "./commanded-host.ts";
import { dumpRules } from "./dump.ts";
import { startKept } from "./kept-host.ts";
import type { Namespace } from "./namespace.ts";
import { GATEWAY_PORT } from "./network.ts";

const OWN_TABLE = "nftables: nft is installed, and a table of our own outlives what others do to iptables.\n";
const GONE = "containers reach the real metadata service, and with it the role of this host.\n";

test("apply, apply --all and remove say what containers see then, and repeat without harm", async () => {
  const { host, rules } = await startCommandedHost();
  const before = await dumpRules(host);
  const closed = {
    exitCode: 0,
    out: "The closed part is in: containers reach no metadata until imdsgate runs, or until imdsgate rules remove.\n",
    err: OWN_TABLE,
  };
  expect(await rules("apply")).toEqual(closed);
  expect(await rules("apply")).toEqual(closed);
  expect(await rules("apply", { all: true, listen: ["0.0.0.0:8111"] })).toEqual({
    exitCode: 0,
    out: "All rules are in: what containers ask of the metadata service goes to port 8111, and nowhere while no gateway listens there.\n",
    err: OWN_TABLE,
  });
  expect(await rules("remove")).toEqual({ exitCode: 0, out: `The rules of imdsgate are gone (nftables): ${GONE}`, err: "" });
  expect(await rules("remove")).toEqual({ exitCode: 0, out: `There were no rules of imdsgate: ${GONE}`, err: "" });
  expect(await dumpRules(host)).toBe(before);
});

test.for([
  { backend: "nftables", flags: { rules: "nftables" } },
  { backend: "iptables", flags: { rules: "iptables" } },
])("apply keeps the redirect of a gateway that may be running, in $backend, and says so", async ({ flags }) => {
  const { host, rules } = await startCommandedHost();
  await rules("apply", { ...flags, all: true, listen: ["0.0.0.0:8111"] });
  const running = await dumpRules(host);
  const kept = await rules("apply", { ...flags, listen: ["0.0.0.0:8111"] });
  expect([kept.out, kept.err.split("\n").slice(1)]).toEqual([
    "All rules are in: what containers ask of the metadata service goes to port 8111, and nowhere while no gateway listens there.\n",
    ["The redirect to port 8111 stands and is kept, for a gateway may run there. imdsgate rules remove takes it out.", ""],
  ]);
  expect(await dumpRules(host)).toBe(running);

  const other = await rules("apply", flags);
  expect(other.err.split("\n")[1]).toBe(
    "The redirect to port 8111 stands and is kept, for a gateway may run there (--listen says 18169: with --all it would lead there). imdsgate rules remove takes it out.",
  );
  expect(await dumpRules(host)).toBe(running);
});

test("apply keeps the redirect also where another backend put it in", async () => {
  const { host, rules } = await startCommandedHost();
  await rules("apply", { all: true });
  const running = await dumpRules(host);
  await rules("apply", { rules: "iptables", all: true });
  expect(await dumpRules(host)).not.toBe(running);
  await rules("apply");
  expect(await dumpRules(host)).toBe(running);
});

test("show prints what apply loads, with this host's uplink, and changes nothing", async () => {
  const { host, rules } = await startCommandedHost();
  const before = await dumpRules(host);
  const shown = await rules("show", { all: true });
  expect(shown).toMatchObject({ exitCode: 0, err: OWN_TABLE });
  expect(shown.out).toContain('iifname "ens5" return');
  expect(await dumpRules(host)).toBe(before);

  await rules("apply", { all: true });
  const applied = await dumpRules(host);
  await host.sh("nft", ["-f", "-"], shown.out);
  expect(await dumpRules(host)).toBe(applied);
});

test.for<{ backend: string; flags: Record<string, unknown>; damage: readonly string[]; found: readonly string[] }>([
  {
    backend: "nftables",
    flags: { rules: "nftables" },
    damage: ["nft", "delete chain inet imdsgate prerouting; insert rule inet imdsgate-closed forward accept"],
    found: [
      "- missing    inet imdsgate prerouting: type nat hook prerouting priority -110; policy accept;",
      '- missing    inet imdsgate prerouting: iifname "lo" return',
      '- missing    inet imdsgate prerouting: iifname "ens5" return',
      "- missing    inet imdsgate prerouting: ip daddr 169.254.169.254 tcp dport 80 counter redirect to :18169",
      "- missing    inet imdsgate prerouting: ip6 daddr fd00:ec2::254 tcp dport 80 counter redirect to :18169",
      "+ foreign    inet imdsgate-closed forward: accept",
    ],
  },
  {
    backend: "iptables",
    flags: { rules: "iptables" },
    damage: ["iptables-nft", "-t", "nat", "-I", "PREROUTING", "-p", "tcp", "-j", "ACCEPT"],
    found: ["+ foreign    ip nat PREROUTING: -p tcp -j ACCEPT"],
  },
])("check and diff tell in $backend what differs, and only check fails for it", async ({ flags, damage, found }) => {
  const { host, rules } = await startCommandedHost();
  const all = { ...flags, all: true };
  await rules("apply", all);
  const intact = "The kernel holds exactly what is wanted: all rules, for a gateway at port 18169.\n";
  expect(await rules("check", all)).toMatchObject({ exitCode: 0, out: intact });
  // The redirect that stands says that all is meant.
  expect(await rules("check", flags)).toMatchObject({ exitCode: 0, out: intact });
  expect(await rules("diff", flags)).toMatchObject({ exitCode: 0, out: intact });

  const [program = "", ...args] = damage;
  await host.sh(program, args);
  const out = `${found.join("\n")}\n`;
  const checked = await rules("check", all);
  expect(checked).toMatchObject({ exitCode: 1, out });
  expect(checked.err.split("\n")[1]).toBe(
    `The kernel differs in ${found.length} from what is wanted: all rules, for a gateway at port 18169. Repair: imdsgate rules apply --all`,
  );
  expect(await rules("diff", all)).toMatchObject({ exitCode: 0, out });
  // Other settings want other rules.
  expect((await rules("check", { ...all, listen: ["0.0.0.0:8111"] })).exitCode).toBe(1);
});

test("check tells of the closed part that is missing, and of what another backend left", async () => {
  const { host, rules } = await startCommandedHost();
  const nothing = await rules("check");
  expect([nothing.exitCode, nothing.out.split("\n").length]).toEqual([1, 13]);
  await rules("apply");
  expect(await rules("check")).toMatchObject({
    exitCode: 0,
    out: "The kernel holds exactly what is wanted: the closed part alone (--all: the redirect too).\n",
  });
  await host.sh("iptables-nft", ["-t", "mangle", "-N", "IMDSGATE-OLD"]);
  expect(await rules("check")).toMatchObject({ exitCode: 1, out: "+ foreign    ip mangle IMDSGATE-OLD: (an empty chain)\n" });
});

test("show prints what stands, in words and as the tool lists it", async () => {
  const { host, rules } = await startCommandedHost();
  await rules("apply", { all: true });
  const listed = await host.sh("nft", ["-s", "list", "ruleset"]);
  const shown = (await rules("show")).out;
  expect(shown.replace(listed, "")).toBe(`# nftables holds rules of imdsgate:
# - inet imdsgate prerouting: hands what containers ask of the metadata addresses to the gateway at port 18169
# - inet imdsgate forward: drops what is on its way to the metadata addresses
# - inet imdsgate input: lets only redirected connections into the gateway's port
# - inet imdsgate-closed forward: drops what is on its way to the metadata addresses
`);
  await rules("apply", { rules: "iptables" });
  expect((await rules("show")).out.split("\n").slice(0, 9)).toEqual([
    "# iptables-nft holds rules of imdsgate:",
    "# - ip mangle INPUT: calls IMDSGATE-IN",
    "# - ip mangle FORWARD: calls IMDSGATE-FWD",
    "# - ip mangle IMDSGATE-FWD: drops what is on its way to the metadata addresses",
    "# - ip mangle IMDSGATE-IN: lets only redirected connections into the gateway's port",
    "# - ip filter INPUT: calls IMDSGATE-IN",
    "# - ip filter IMDSGATE-IN: lets redirected connections in, whatever else this host refuses",
    "# - ip nat PREROUTING: calls IMDSGATE-PRE",
    "# - ip nat IMDSGATE-PRE: hands what containers ask of the metadata addresses to the gateway at port 18169",
  ]);
});

test("apply --dry-run prints what apply loads, and changes nothing", async () => {
  const { host, rules } = await startCommandedHost();
  const before = await dumpRules(host);
  const tried = await rules("apply", { all: true, "dry-run": true });
  expect([tried.exitCode, tried.err]).toEqual([0, `${OWN_TABLE}Nothing was changed (--dry-run).\n`]);
  expect(await dumpRules(host)).toBe(before);
  await rules("apply", { all: true });
  const applied = await dumpRules(host);
  await host.sh("nft", ["-f", "-"], tried.out);
  expect(await dumpRules(host)).toBe(applied);
  expect((await rules("apply", { "dry-run": true })).out).toBe(tried.out);
});

test("remove says so where a gateway that runs puts the rules back", async () => {
  const { host, rules } = await startCommandedHost();
  const kept = await startKept(host, "nftables");
  onTestFinished(kept.stop);
  await expect(rules("remove")).rejects.toMatchObject({
    code: "RULES_FAILED",
    message:
      "The rules were taken out, and a gateway that runs has put them back. To have it let go of them: imdsgate rules remove --stop-keeper",
  });
  await kept.stop();
  expect((await rules("remove")).out).toBe(`The rules of imdsgate are gone (nftables): ${GONE}`);
});

test("remove changes nothing where a gateway listens at the end of the redirect: no container gets a moment of the real service", async () => {
  const { host, rules } = await startCommandedHost();
  await rules("apply", { all: true });
  await host.ask({ act: "listen", name: "gateway", host: "0.0.0.0", port: GATEWAY_PORT });
  const before = await dumpRules(host);
  await expect(rules("remove")).rejects.toMatchObject({
    code: "RULES_FAILED",
    message:
      "Nothing was changed: a gateway runs where the rules lead to, and would put them back. To have it let go of them: imdsgate rules remove --stop-keeper",
  });
  expect(await dumpRules(host)).toBe(before);
});

test.for(["nftables", "iptables-nft", "iptables-legacy"] as const)(
  "remove --stop-keeper has the gateway that keeps the %s rules let go of them, and leaves nothing, not even the question",
  async (backend) => {
    const { host, rules } = await startCommandedHost();
    const before = await dumpRules(host);
    const kept = await startKept(host, backend);
    onTestFinished(kept.stop);
    expect(await rules("remove", { "stop-keeper": true })).toEqual({
      exitCode: 0,
      out: `The rules of imdsgate are gone (${backend}): ${GONE}`,
      err: "A gateway that runs let go of the rules and serves on. It keeps rules again once it is started anew.\n",
    });
    expect(kept.events).toEqual([{ kind: "rules-released", backend }]);
    await takeOutLegacyUse(host, backend);
    expect(await dumpRules(host)).toBe(before);

    // Neither a change of what it wants nor rules by hand make it keep any.
    await kept.rules.capture({ caught: [], exempt: [] });
    expect(await dumpRules(host)).toBe(before);
    await rules("apply", { all: true });
    await rules("remove");
    expect(await dumpRules(host)).toBe(before);
  },
);

test.for(["nftables", "iptables-nft"] as const)("remove --stop-keeper without a gateway only takes longer: %s", async (backend) => {
  const { host, rules } = await startCommandedHost();
  const before = await dumpRules(host);
  await rules("apply", { rules: backend.replace("-nft", ""), all: true });
  const gone = { exitCode: 0, out: `The rules of imdsgate are gone (${backend}): ${GONE}`, err: "" };
  expect(await rules("remove", { "stop-keeper": true })).toEqual(gone);
  expect(await dumpRules(host)).toBe(before);
});

test.for(["nftables", "iptables-nft"] as const)(
  "a question that nobody answered releases no gateway that starts later: %s",
  async (backend) => {
    const { host, rules } = await startCommandedHost();
    const before = await dumpRules(host);
    const wish = { rules: backend.replace("-nft", ""), all: true };
    await rules("apply", wish);
    await putQuestion(host, backend);
    const kept = await startKept(host, backend);
    onTestFinished(kept.stop);
    await expect(rules("remove")).rejects.toMatchObject({ code: "RULES_FAILED" });
    await expect.poll(() => kept.events.map(({ kind }) => kind), { timeout: 10_000 }).toContain("rules-repaired");
    await kept.stop();
    await putQuestion(host, backend);
    await rules("remove");
    expect(await dumpRules(host)).toBe(before);
  },
);

/** What a removal that was killed leaves. */
async function putQuestion(host: Namespace, backend: BackendName): Promise<void> {
  if (backend === "nftables") await host.sh("nft", ["add table inet imdsgate-released"]);
  else await host.sh(backend, ["-w", "-t", "mangle", "-N", "IMDSGATE_RELEASED"]);
}

/** `startKept` makes the host one that uses iptables-legacy, by a rule that is not ours. */
async function takeOutLegacyUse(host: Namespace, backend: BackendName): Promise<void> {
  if (backend === "iptables-legacy") await host.sh("iptables-legacy", ["-w", "-t", "raw", "-F"]);
}

test.for([
  { title: "a port that only the gateway will know", flags: { listen: ["0.0.0.0:0"] } },
  { title: "no rules at all", flags: { rules: "none" } },
  { title: "a keeper to be stopped where nothing is removed", flags: { "stop-keeper": true } },
])("what cannot be applied is bad usage: $title", async ({ flags }) => {
  const { rules } = await startCommandedHost();
  await expect(rules("apply", flags)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});
