import { describe, expect, test } from "vitest";
import { nftScript } from "../../src/rules/nftables.ts";
import { createRules, removeAllRules } from "../../src/rules/rules.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
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

  test("what is put back is what was applied last, and connections from the time between are ended", async () => {
    const absent: Answer = { exitCode: 1, stderr: "Error: No such file or directory\n" };
    const { run, calls } = scriptedRun({
      ...HOST,
      "nft -s list table inet imdsgate": absent,
      "nft -s list table inet imdsgate-closed": absent,
    });
    const rules = await createRules(run, "auto", ["br-*"]);
    await rules.apply("closed", 18169);
    const before = calls.length;
    const ending = new AbortController();
    const untilAborted = () => new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve(), { once: true }));
    const emit = () => ending.abort();
    await rules.keep({ follow: untilAborted, clock: handMovedClock(), emit }, ending.signal);
    expect(calls.slice(before)).toEqual([
      "nft -s list table inet imdsgate",
      "nft -s list table inet imdsgate-closed",
      `nft -f -\n${NFT_SCRIPT_CLOSED}`,
      "conntrack -D -f ipv4 --orig-dst 169.254.169.254",
    ]);
  });

  test("nothing is kept where nothing was applied", async () => {
    const { run, calls } = scriptedRun(HOST);
    const rules = await createRules(run, "auto", []);
    const before = calls.length;
    await rules.keep({ follow: () => Promise.resolve(), clock: handMovedClock(), emit: () => {} }, new AbortController().signal);
    expect(calls.slice(before)).toEqual([]);
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

  test("a tool that is broken keeps nothing in that another one can take out, neither in a removal nor in a change of backend", async () => {
    const ours = "*nat\n:IMDSGATE-PRE - [0:0]\n-A PREROUTING -d 169.254.169.254/32 -j IMDSGATE-PRE\nCOMMIT\n";
    const removal = "*nat\n-D PREROUTING -d 169.254.169.254/32 -j IMDSGATE-PRE\n-F IMDSGATE-PRE\n-X IMDSGATE-PRE\nCOMMIT\n";
    const { run, calls } = scriptedRun({
      ...HOST,
      "nft list tables": { exitCode: 1, stderr: "nft: broken\n" },
      "iptables-nft -V": { stdout: "iptables v1.8.9 (nf_tables)\n" },
      "iptables-nft-save": { exitCode: 1, stderr: "iptables-nft-save: broken\n" },
      "iptables-legacy-save": { stdout: ours },
      "iptables-legacy-restore --noflush -w 3": {},
    });
    const rules = await createRules(run, "auto", []);
    await expect(rules.remove()).rejects.toThrow('"nft: broken"');
    await expect(removeAllRules(run)).rejects.toThrow('"nft: broken"');
    await expect(rules.apply("closed", 18169)).rejects.toThrow('"iptables-nft-save: broken"');
    const removals = calls.filter((call) => call.startsWith("iptables-legacy-restore"));
    expect(removals).toEqual(Array(3).fill(`iptables-legacy-restore --noflush -w 3\n${removal}`));
  });

  test("a family that is broken keeps nothing in of the other", async () => {
    const ours = "*nat\n:IMDSGATE-PRE - [0:0]\nCOMMIT\n";
    const { run, calls } = scriptedRun({
      ...HOST,
      "test -e /proc/net/if_inet6": {},
      "nft list tables": {},
      "iptables-legacy-save": { exitCode: 1, stderr: "broken\n" },
      "ip6tables-legacy-save": { stdout: ours },
      "ip6tables-legacy-restore --noflush -w 3": {},
    });
    await expect(removeAllRules(run)).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(calls.at(-1)).toBe("ip6tables-legacy-restore --noflush -w 3\n*nat\n-F IMDSGATE-PRE\n-X IMDSGATE-PRE\nCOMMIT\n");
  });

  test("a redirect that stands is found in the backend that holds it, also past one that cannot be looked at", async () => {
    const redirect =
      "*nat\n-A IMDSGATE-PRE -i eth0 -j RETURN\n-A IMDSGATE-PRE -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8111\nCOMMIT\n";
    const portWith = async (answers: Readonly<Record<string, Answer>>) =>
      (await createRules(scriptedRun({ ...HOST, "nft list tables": {}, ...answers }).run, "auto", [])).redirectPort();
    const table =
      "table inet imdsgate {\n\tchain prerouting {\n\t\tip daddr 169.254.169.254 tcp dport 80 counter redirect to :8222\n\t}\n}\n";
    const inTable = { "nft list tables": { stdout: "table inet imdsgate\n" }, "nft -s list table inet imdsgate": { stdout: table } };
    expect([
      await portWith({}),
      await portWith(inTable),
      await portWith({ "iptables-legacy-save": { stdout: redirect } }),
      await portWith({ "nft list tables": { exitCode: 1 }, "iptables-legacy-save": { stdout: redirect } }),
      await portWith({ "iptables-legacy-save": DENIED }),
    ]).toEqual([undefined, 8222, 8111, 8111, undefined]);
  });

  test("a removal that could not look everywhere says so", async () => {
    const { run } = scriptedRun({ ...HOST, "nft list tables": {}, "iptables-legacy-save": DENIED });
    const rules = await createRules(run, "auto", []);
    await expect(rules.remove()).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });

  test.for(["br 1", 'x"; flush ruleset', "-i", "", "a-name-longer-than-15", "fifteen-letters*", "br*x", "eth+"])(
    "an interface name that a tool could read otherwise is refused: %s",
    async (name) => {
      await expect(createRules(scriptedRun(HOST).run, "auto", [name])).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(`--interface: rules cannot hold ${JSON.stringify(name)}\n`),
      });
    },
  );

  test.for(["wan+1", "w*", "*"])("an uplink that a tool could read otherwise is laid at no flag's door: %s", async (uplink) => {
    const { run, calls } = scriptedRun({ ...HOST, "ip -j -4 route show table all default": { stdout: JSON.stringify([{ dev: uplink }]) } });
    const rules = await createRules(run, "auto", []);
    await expect(rules.apply("closed", 18169)).rejects.toMatchObject({
      code: "RULES_FAILED",
      message: `The interface "${uplink}", which holds a default route, has a name that rules cannot hold. Name the interfaces of the workloads instead, as in --interface 'br-*'.`,
    });
    expect(calls.filter((call) => call.startsWith("nft -f"))).toEqual([]);
    expect(await (await createRules(run, "auto", ["br-*"])).apply("closed", 18169)).toBe("no-conntrack-tool");
  });

  test.for(["docker0", "br-*", "eth0.100", "*"])("an ordinary interface name is taken: %s", async (name) => {
    expect((await createRules(scriptedRun(HOST).run, "auto", [name])).backend).toBe("nftables");
  });
});
