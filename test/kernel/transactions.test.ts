import { describe, expect, onTestFinished, test } from "vitest";
import { isInterfacePattern } from "../../src/interface-name.ts";
import type { Backend } from "../../src/rules/backend.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { parseNftListing } from "../../src/rules/nft-listing.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { probeRules } from "../../src/rules/probe.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import { createRules, removeAllRules } from "../../src/rules/rules.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { dumpRules } from "./dump.ts";
import { loadForeignRules } from "./foreign-rules.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };

type Name = Backend["name"];

const BACKENDS: Readonly<Record<Name, (run: RunCommand) => Backend>> = {
  nftables: nftablesBackend,
  "iptables-nft": (run) => iptablesBackend(run, "nft"),
  "iptables-legacy": (run) => iptablesBackend(run, "legacy"),
};

const HOSTS: readonly { host: string; prepare: (namespace: Namespace) => Promise<void> }[] = [
  { host: "a host without any rules", prepare: async () => {} },
  {
    host: "a host with rules of others",
    prepare: loadForeignRules,
  },
];

const CASES = HOSTS.flatMap(({ host, prepare }) =>
  (["nftables", "iptables-nft", "iptables-legacy"] as const).map((name) => ({ host, prepare, name })),
);

async function startHost(prepare: (namespace: Namespace) => Promise<void>): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await prepare(host);
  return host;
}

describe.for(CASES)("$name on $host", ({ name, prepare }) => {
  test("applying twice is the same as once, and going to the closed part and back too", async () => {
    const host = await startHost(prepare);
    const backend = BACKENDS[name](host.run);
    const before = await dumpRules(host);
    await backend.apply(ALL);
    const once = await dumpRules(host);
    expect(once).not.toBe(before);
    await backend.apply(ALL);
    expect(await dumpRules(host)).toBe(once);
    await backend.apply({ ...ALL, parts: "closed", gatewayPort: 18170 });
    expect(await dumpRules(host)).not.toBe(once);
    await backend.apply(ALL);
    expect(await dumpRules(host)).toBe(once);
  });

  test("the removal leaves the host as it was before the first apply", async () => {
    const host = await startHost(prepare);
    const backend = BACKENDS[name](host.run);
    const before = await dumpRules(host);
    await backend.apply({ ...ALL, parts: "closed" });
    await backend.apply(ALL);
    // Another process removes: what it needs to know stands in the rules themselves.
    expect(await removeAllRules(host.run)).toEqual([name]);
    expect(await dumpRules(host)).toBe(before);
    expect(await removeAllRules(host.run)).toEqual([]);
    expect(await dumpRules(host)).toBe(before);
  });

  test("foreign rules stay, line by line", async () => {
    const host = await startHost(prepare);
    const before = (await dumpRules(host)).split("\n");
    await BACKENDS[name](host.run).apply(ALL);
    const after = new Set((await dumpRules(host)).split("\n"));
    expect(before.filter((line) => !after.has(line))).toEqual([]);
  });

  test("a look at the host changes nothing, not even the list of registered tables", async () => {
    const host = await startHost(prepare);
    const names = () => host.sh("cat", ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"]);
    const before = { rules: await dumpRules(host), names: await names() };
    await probeRules(host.run);
    expect({ rules: await dumpRules(host), names: await names() }).toEqual(before);
  });
});

const LEGACY_IN_USE = ["-w", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP"];

test.for<{ from: Name; to: Name }>([
  { from: "iptables-nft", to: "nftables" },
  { from: "iptables-legacy", to: "nftables" },
  { from: "nftables", to: "iptables-nft" },
  { from: "iptables-legacy", to: "iptables-nft" },
  { from: "nftables", to: "iptables-legacy" },
  { from: "iptables-nft", to: "iptables-legacy" },
])("a change from $from to $to leaves nothing of the first", async ({ from, to }) => {
  const prepare = async ({ sh }: Namespace) => {
    if (to === "iptables-legacy") await sh("iptables-legacy", LEGACY_IN_USE);
  };
  const [fresh, changed] = [await startHost(prepare), await startHost(prepare)];
  await BACKENDS[from](changed.run).apply(ALL);
  for (const host of [fresh, changed]) {
    const rules = await createRules(host.run, to === "nftables" ? "nftables" : "iptables", []);
    expect(rules.backend).toBe(to);
    await rules.apply("all", 18169);
  }
  expect(await dumpRules(changed)).toBe(await dumpRules(fresh));
});

test("a table that somebody else came to use stays when our rules go", async () => {
  const host = await startHost(async () => {});
  await iptablesBackend(host.run, "nft").apply(ALL);
  await host.sh("iptables-nft", ["-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP"]);
  await host.sh("ip6tables-nft", ["-P", "INPUT", "DROP"]);
  await removeAllRules(host.run);
  const chain = (family: string, policy: string) => ({ family, table: "filter", name: "INPUT", policy });
  expect(parseNftListing(await host.sh("nft", ["-j", "list", "ruleset"]))).toEqual({
    tables: [
      { family: "ip", name: "filter" },
      { family: "ip6", name: "filter" },
    ],
    chains: [chain("ip", "accept"), chain("ip6", "drop")],
    rules: [{ family: "ip", table: "filter", chain: "INPUT" }],
  });
});

test("the longest interface names that are allowed are what every tool can hold", async () => {
  const host = await startHost(async () => {});
  const workloadInterfaces = ["fifteen-letters", "fourteen-char*", "*"];
  expect(workloadInterfaces.map(isInterfacePattern)).toEqual([true, true, true]);
  for (const backend of Object.values(BACKENDS)) {
    await backend(host.run).apply({ ...ALL, workloadInterfaces });
    await backend(host.run).remove();
  }
});

test("text that the kernel refuses leaves the old rules standing", async () => {
  const host = await startHost(async () => {});
  for (const backend of [nftablesBackend(host.run), iptablesBackend(host.run, "nft"), iptablesBackend(host.run, "legacy")]) {
    await backend.apply(ALL);
    const before = await dumpRules(host);
    await expect(backend.apply({ ...ALL, gatewayPort: 70_000 })).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(await dumpRules(host)).toBe(before);
    await backend.remove();
  }
});
