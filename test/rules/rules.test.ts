import { describe, expect, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { nftScript } from "../../src/rules/nftables.ts";
import { createRules, removeAllRules } from "../../src/rules/rules.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { type Answer, scriptedRun } from "./scripted-run.ts";

const NFT_SCRIPT_CLOSED = nftScript({ parts: "closed", gatewayPort: 18169, uplinkInterfaces: [], workloadInterfaces: ["br-*"] });
const DENIED: Answer = { exitCode: 1, stderr: "Failed to list table names in /proc/net/ip_tables_names: Permission denied\n" };

const HOST: Readonly<Record<string, Answer>> = {
  "nft --version": {},
  "nft -j list tables": { stdout: "{}" },
  "nft -f -": {},
  "nft list tables": {},
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
      `nft -f -\n${NFT_SCRIPT_CLOSED}`,
      "iptables-legacy-save",
      "test -e /proc/net/if_inet6",
      "iptables-legacy-save",
      "nft list tables",
      "conntrack -D -f ipv4 --orig-dst 169.254.169.254 --reply-src 169.254.169.254",
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
    await rules.keep({ follow: untilAborted, clock: handMovedClock(), emit, onRepair: () => {}, onRelease: async () => {} }, ending.signal);
    expect(calls.slice(before)).toEqual([
      "nft list tables",
      "nft -s list table inet imdsgate",
      "nft -s list table inet imdsgate-closed",
      `nft -f -\n${NFT_SCRIPT_CLOSED}`,
      "conntrack -D -f ipv4 --orig-dst 169.254.169.254 --reply-src 169.254.169.254",
    ]);
  });

  test("who runs in the host's network is captured with what stands, and remembered where nothing does", async () => {
    const { run, calls } = scriptedRun(HOST);
    const rules = await createRules(run, "auto", ["br-*"]);
    const hostNetwork = { caught: [], exempt: ["system.slice/imdsgate.service"] };
    const before = calls.length;
    await rules.capture(hostNetwork);
    expect(calls.slice(before)).toEqual([]);
    await rules.apply("closed", 18169);
    const applied = calls.length;
    await rules.capture(undefined);
    expect(calls.slice(applied).filter((call) => !call.startsWith("conntrack"))).toEqual([`nft -f -\n${NFT_SCRIPT_CLOSED}`]);
    expect(calls.slice(before).filter((call) => call.startsWith("nft -f"))).toHaveLength(2);
  });

  test("an apply and a capture at the same time go in one after the other, in their order", async () => {
    const scripted = scriptedRun(HOST);
    let running = 0;
    let most = 0;
    const run: RunCommand = async (...call) => {
      running += call[0] === "nft" ? 1 : 0;
      most = Math.max(most, running);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      running -= call[0] === "nft" ? 1 : 0;
      return scripted.run(...call);
    };
    const rules = await createRules(scripted.run, "auto", ["br-*"]).then(() => createRules(run, "auto", ["br-*"]));
    most = 0;
    await Promise.all([rules.apply("closed", 18169), rules.capture(undefined), rules.apply("closed", 18169), rules.capture(undefined)]);
    expect(most).toBe(1);
  });

  test("a default route that moves after the start is followed within half a minute, and told, but is no repair", async () => {
    const clock = handMovedClock();
    let uplink = "ens5";
    const scripts: string[] = [];
    const script = (name: string) => nftScript({ parts: "all", gatewayPort: 18169, uplinkInterfaces: [name], workloadInterfaces: [] });
    let standing = "";
    const scripted = scriptedRun(HOST);
    const run: RunCommand = async (program, args, input) => {
      const line = [program, ...args].join(" ");
      if (line === "nft -f -") {
        standing = input ?? "";
        scripts.push(standing);
      }
      const [, table = ""] = /^nft -s list table (.*)$/.exec(line) ?? [];
      const result = await scripted.run(program, args, input);
      if (table !== "") return { ...result, exitCode: 0, isMissing: false, stdout: tableIn(standing, table) };
      return line.includes("-4 route") ? { ...result, stdout: JSON.stringify([{ dst: "default", dev: uplink }]) } : result;
    };
    const rules = await createRules(run, "auto", []);
    await rules.apply("all", 18169);
    const events: ImdsgateEvent[] = [];
    const ending = new AbortController();
    const untilAborted = () => new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve(), { once: true }));
    const kept = rules.keep(
      { follow: untilAborted, clock, emit: (event) => events.push(event), onRepair: () => {}, onRelease: async () => {} },
      ending.signal,
    );
    uplink = "ens6";
    for (let second = 0; second < 31; second++) {
      clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    ending.abort();
    await kept;
    expect(scripts).toEqual([script("ens5"), script("ens6")]);
    const message = "the default route leads over ens6 now, not over ens5: the rules follow it";
    expect(events).toEqual([{ kind: "rules-note", message }]);
  });

  test("nothing is kept where nothing was applied", async () => {
    const { run, calls } = scriptedRun(HOST);
    const rules = await createRules(run, "auto", []);
    const before = calls.length;
    await rules.keep(
      { follow: () => Promise.resolve(), clock: handMovedClock(), emit: () => {}, onRepair: () => {}, onRelease: async () => {} },
      new AbortController().signal,
    );
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
    const { run } = scriptedRun({
      ...HOST,
      "nft list tables": {},
      "iptables-legacy-save": DENIED,
    });
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

/** One table of a script, as nft lists it. */
function tableIn(script: string, name: string): string {
  return script.split(/^(?=table )/m).find((part) => part.startsWith(`table ${name} {`)) ?? "";
}
