import { describe, expect, onTestFinished, test } from "vitest";
import type { Backend } from "../../src/rules/backend.ts";
import { endOldFlows } from "../../src/rules/conntrack.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { dumpRules } from "./dump.ts";
import { startHostNamespace } from "./namespace.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };

/** Nobody's own user, with one capability more than none. */
const AS_OWN_USER = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"];

async function startHost() {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const asOwnUser: RunCommand = (program, args, input) => host.run("setpriv", [...AS_OWN_USER, program, ...args], input);
  return { host, asOwnUser };
}

describe.skipIf(process.getuid?.() !== 0)("a user of its own with CAP_NET_ADMIN alone (needs root, to become that user)", () => {
  test.for<{ name: string; make: (run: RunCommand) => Backend }>([
    { name: "nftables", make: nftablesBackend },
    { name: "iptables-nft", make: (run) => iptablesBackend(run, "nft") },
  ])("puts the rules in by $name, sees them, and takes them out", async ({ make }) => {
    const { host, asOwnUser } = await startHost();
    const before = await dumpRules(host);
    const backend = make(asOwnUser);
    await backend.apply(ALL);
    expect(await backend.redirectPort()).toBe(18169);
    expect(await endOldFlows(asOwnUser)).toBe("ended");
    expect(await backend.remove()).toBe(true);
    expect(await dumpRules(host)).toBe(before);
  });

  test("can not by iptables-legacy, which wants root: told so, and nothing is changed", async () => {
    const { host, asOwnUser } = await startHost();
    const before = await dumpRules(host);
    await expect(iptablesBackend(asOwnUser, "legacy").apply(ALL)).rejects.toMatchObject({
      code: "RULES_NOT_PERMITTED",
      message: expect.stringContaining("iptables-legacy wants root"),
    });
    expect(await dumpRules(host)).toBe(before);
  });
});
