import { describe, expect, test } from "vitest";
import { nftScript } from "../../src/rules/nftables.ts";
import { createRules } from "../../src/rules/rules.ts";
import { type Answer, scriptedRun } from "./scripted-run.ts";

const NFT_SCRIPT_CLOSED = nftScript({ parts: "closed", gatewayPort: 18169, uplinkInterfaces: ["ens5"], workloadInterfaces: ["br-*"] });
const DENIED: Answer = { exitCode: 1, stderr: "Failed to list table names in /proc/net/ip_tables_names: Permission denied\n" };

const HOST: Readonly<Record<string, Answer>> = {
  "nft --version": {},
  "nft -j list tables": { stdout: "{}" },
  "nft -f -": {},
  "iptables-legacy -V": { stdout: "iptables v1.8.9 (legacy)\n" },
  "iptables-legacy-save": {},
  "ip -j -4 route show table all default": { stdout: '[{"dst":"default","dev":"ens5"}]' },
  "ip -j -6 route show table all default": { stdout: "[]" },
  "test -e /proc/net/if_inet6": { exitCode: 1 },
};

describe("the rules of a host", () => {
  test("ours are in before what another backend left is taken out", async () => {
    const { run, calls } = scriptedRun(HOST);
    const rules = await createRules(run, "auto", ["br-*"]);
    const looks = calls.length;
    expect(await rules.apply("closed", 18169)).toBe("no-conntrack-tool");
    expect(calls.slice(looks)).toEqual([
      "ip -j -4 route show table all default",
      "ip -j -6 route show table all default",
      `nft -f -\n${NFT_SCRIPT_CLOSED}`,
      "test -e /proc/net/if_inet6",
      "iptables-legacy-save",
      "conntrack -D -f ipv4 --orig-dst 169.254.169.254",
    ]);
  });

  test("with CAP_NET_ADMIN alone, where iptables-legacy may not be looked into, nftables still does its work", async () => {
    const { run } = scriptedRun({ ...HOST, "iptables-legacy-save": DENIED });
    const rules = await createRules(run, "auto", []);
    expect(await rules.apply("closed", 18169)).toBe("no-conntrack-tool");
  });

  test("what another backend left and cannot be taken out is a failure", async () => {
    const { run } = scriptedRun({ ...HOST, "iptables-legacy-save": { exitCode: 1, stderr: "iptables-save: broken\n" } });
    const rules = await createRules(run, "auto", []);
    await expect(rules.apply("closed", 18169)).rejects.toMatchObject({ code: "RULES_FAILED" });
  });

  test("a removal that could not look everywhere says so", async () => {
    const { run } = scriptedRun({ ...HOST, "nft list tables": {}, "iptables-legacy-save": DENIED });
    const rules = await createRules(run, "auto", []);
    await expect(rules.remove()).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });

  test.for(["br 1", 'x"; flush ruleset', "-i", "", "a-name-longer-than-15", "br*x", "eth+"])(
    "an interface name that a tool could read otherwise is refused: %s",
    async (name) => {
      await expect(createRules(scriptedRun(HOST).run, "auto", [name])).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    },
  );

  test.for(["docker0", "br-*", "eth0.100", "*"])("an ordinary interface name is taken: %s", async (name) => {
    expect((await createRules(scriptedRun(HOST).run, "auto", [name])).backend).toBe("nftables");
  });
});
