import { mkdirSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { socketCgroup } from "../../src/identity/socket-cgroup.ts";
import type { Backend } from "../../src/rules/backend.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { differenceLine } from "../../src/rules/rule-differences.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { dumpRules } from "./dump.ts";
import { type Namespace, startInCgroup } from "./namespace.ts";
import { decoyCount, GATEWAY_PORT, IMDS4, IMDS6, type Network, startNetwork, timeoutFor } from "./network.ts";

const BACKENDS: readonly { name: string; make: (run: RunCommand) => Backend }[] = [
  { name: "nftables", make: nftablesBackend },
  { name: "iptables-nft", make: (run) => iptablesBackend(run, "nft") },
  { name: "iptables-legacy", make: (run) => iptablesBackend(run, "legacy") },
];

/** Which process of the host asks, by where it runs below the cgroup of the test. */
type Who = "host" | "caught" | "child" | "own";

interface Row {
  readonly who: Who;
  readonly host: string;
  readonly port?: number;
  readonly wanted: string;
}

const FOUR: readonly Who[] = ["host", "caught", "child", "own"];
const rowsFor = (who: readonly Who[], wanted4: string, wanted6: string): readonly Row[] =>
  who.flatMap((one) => [
    { who: one, host: IMDS4, wanted: wanted4 },
    { who: one, host: IMDS6, wanted: wanted6 },
  ]);
const REAL = ["decoy saw 10.77.0.2 on 169.254.169.254", "decoy6 saw fd77::2 on fd00:ec2::254"] as const;
const GATEWAY = ["gateway saw 10.77.0.2 on 127.0.0.1", "gateway6 saw fd77::2 on ::1"] as const;
const OTHER_PORT: Row = { who: "caught", host: IMDS4, port: 8080, wanted: "decoy-other saw 10.77.0.2 on 169.254.169.254" };

describe.skipIf(process.getuid?.() !== 0).for(BACKENDS)(
  "host-network containers under $name (needs root, to make cgroups)",
  ({ name, make }) => {
    let network: Network;
    let folder: string;
    let backend: Backend;
    const processes = new Map<Who, Namespace>();
    /** A place below the test's own cgroup, as the rules name it. */
    const path = (below: string) => `${basename(folder)}/${below}`;

    beforeAll(async () => {
      network = await startNetwork();
      backend = make(network.host.run);
      folder = await makeCgroup(`rules-${name}`);
      processes.set("host", network.host);
      const places = { caught: "caught", child: "caught/id", own: "caught/gateway" } as const;
      for (const who of ["caught", "child", "own"] as const) {
        mkdirSync(join(folder, places[who]));
        processes.set(who, await startInCgroup(network.host, join(folder, places[who])));
      }
    });
    afterAll(async () => {
      processes.delete("host");
      for (const one of processes.values()) await one[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
      await removeCgroup(folder);
    });

    function ruleSet(parts: RuleSet["parts"], more: readonly string[] = []): RuleSet {
      const hostNetwork = { caught: [path("caught"), ...more.map(path)], exempt: [path("caught/gateway")] };
      return { parts, gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [], hostNetwork };
    }

    async function apply(wanted: RuleSet): Promise<void> {
      onTestFinished(async () => {
        await backend.remove();
      });
      await backend.apply(wanted);
    }

    async function answers(rows: readonly Row[]) {
      const before = await decoyCount(network);
      const said = await Promise.all(
        rows.map(async (row) => {
          const { who, host, port = 80, wanted } = row;
          const heard = await processes.get(who)?.ask({ act: "request", host, port, timeoutMs: timeoutFor(wanted) });
          return { ...row, wanted: heard };
        }),
      );
      return { said, decoySaw: (await decoyCount(network)) - before };
    }

    function wantedOf(rows: readonly Row[]) {
      return { said: rows, decoySaw: rows.filter(({ wanted }) => wanted.startsWith("decoy")).length };
    }

    /** Whether a datagram to the IMDS address gets out of a cgroup. */
    async function sendsDatagram(below: string): Promise<boolean> {
      const script = `echo 0 >"$0/cgroup.procs" && echo x >/dev/udp/${IMDS4}/53`;
      return (await network.host.run("bash", ["-c", script, join(folder, below)])).exitCode === 0;
    }

    test("without a rule of their own they reach the real IMDS like the host, also under all other rules", async () => {
      const rows = [...rowsFor(FOUR, ...REAL), OTHER_PORT];
      expect(await answers(rows)).toEqual(wantedOf(rows));
      await apply({ ...ruleSet("all"), hostNetwork: undefined });
      expect(await answers(rows)).toEqual(wantedOf(rows));
      expect(await sendsDatagram("caught")).toBe(true);
    });

    test("a caught cgroup and all below it reach the gateway, and the host and the gateway itself the real IMDS", async () => {
      await apply(ruleSet("all"));
      const silent: Row = { ...OTHER_PORT, wanted: "silence" };
      const rows = [...rowsFor(["host", "own"], ...REAL), ...rowsFor(["caught", "child"], ...GATEWAY), silent];
      expect(await answers(rows)).toEqual(wantedOf(rows));
      expect([await sendsDatagram("caught"), await sendsDatagram("caught/id"), await sendsDatagram("caught/gateway")]).toEqual([
        false,
        false,
        true,
      ]);
    });

    test("nobody reaches the gateway's port by asking for it, whichever cgroup he is in", async () => {
      await apply(ruleSet("all"));
      const rows = FOUR.flatMap((who): Row[] =>
        ["127.0.0.1", "10.77.0.2", "::1"].map((host) => ({ who, host, port: GATEWAY_PORT, wanted: "silence" })),
      );
      expect(await answers(rows)).toEqual(wantedOf(rows));
    });

    test("with the closed part alone a caught cgroup reaches nothing", async () => {
      await apply(ruleSet("all"));
      await apply(ruleSet("closed"));
      const rows = [
        ...rowsFor(["host", "own"], ...REAL),
        ...rowsFor(["caught", "child"], "silence", "silence"),
        { ...OTHER_PORT, wanted: "silence" },
      ];
      expect(await answers(rows)).toEqual(wantedOf(rows));
    });

    test("a gateway that is dead means no metadata for them", async () => {
      await apply(ruleSet("all"));
      onTestFinished(async () => {
        await network.host.ask({ act: "listen", name: "gateway", host: "0.0.0.0", port: GATEWAY_PORT });
        await network.host.ask({ act: "listen", name: "gateway6", host: "::", port: GATEWAY_PORT });
      });
      await network.host.ask({ act: "close", name: "gateway" });
      await network.host.ask({ act: "close", name: "gateway6" });
      const rows = rowsFor(["caught", "child"], "refused", "refused");
      expect(await answers(rows)).toEqual(wantedOf(rows));
    });

    test("a connection of theirs that was open before the rules is dead under them", async () => {
      const caught = processes.get("caught");
      expect(await caught?.ask({ act: "open", key: "old", host: IMDS4, port: 80 })).toBe("open");
      await apply(ruleSet("all"));
      const said = await caught?.ask({ act: "speak", key: "old", timeoutMs: timeoutFor("silence") });
      expect(["silence", "read ECONNRESET"]).toContain(said);
    });

    test("a cgroup that is not there is left out, and the rest goes in", async () => {
      await apply(ruleSet("all", ["gone", "caught/gone"]));
      expect((await backend.differences(ruleSet("all", ["gone", "caught/gone"]))).map(differenceLine)).toEqual([]);
      const rows = rowsFor(["caught"], ...GATEWAY);
      expect(await answers(rows)).toEqual(wantedOf(rows));
    });

    test("the rule of a cgroup that vanished is no difference, and one that came anew under its path is caught by the next apply", async () => {
      const fleeting = join(folder, "fleeting");
      const wanted = ruleSet("all", ["fleeting"]);
      mkdirSync(fleeting);
      await apply(wanted);
      expect((await backend.differences(wanted)).map(differenceLine)).toEqual([]);
      rmdirSync(fleeting);
      expect((await backend.differences(wanted)).map(differenceLine)).toEqual([]);

      mkdirSync(fleeting);
      const late = await startInCgroup(network.host, fleeting);
      onTestFinished(async () => {
        await late[Symbol.asyncDispose]();
        rmdirSync(fleeting);
      });
      const ask = () => late.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: timeoutFor("gateway") });
      expect(await ask()).toBe(REAL[0]);
      expect((await backend.differences(wanted)).map(({ kind }) => kind)).toContain("missing");
      await backend.apply(wanted);
      expect(await ask()).toBe(GATEWAY[0]);
      expect((await backend.differences(wanted)).map(differenceLine)).toEqual([]);
    });

    test.for([
      { over: "IPv4", to: IMDS4, address: "10.77.0.2", local: "127.0.0.1", asks: ["-4", "dst", IMDS4] },
      { over: "IPv6", to: IMDS6, address: "fd77::2", local: "::1", asks: ["-6", "dst", `[${IMDS6}]`] },
      { over: "IPv4 by a dual-stack socket", to: `::ffff:${IMDS4}`, address: "10.77.0.2", local: "127.0.0.1", asks: ["dst", IMDS4] },
    ])("the kernel tells in which cgroup a redirected socket was made: $over", async ({ over, to, address, local, asks }) => {
      await apply(ruleSet("all"));
      const child = processes.get("child");
      expect(await child?.ask({ act: "open", key: over, host: to, port: 80 })).toBe("open");
      onTestFinished(async () => {
        await child?.ask({ act: "speak", key: over, timeoutMs: timeoutFor("gateway") });
      });
      const listed = await network.host.sh("ss", ["-Htn", "state", "established", ...asks]);
      const port = Number(/:(\d+)\s+\S+:80\b/.exec(listed)?.[1]);
      const source = { address, port, local: { host: local, port: GATEWAY_PORT }, acceptedAt: 0 };
      expect(await socketCgroup(network.host.run, source, () => undefined)).toBe(path("caught/id"));

      // Who may not open a file by its handle is told the number alone by ss, on kernels that want a capability for that.
      const asNobody: RunCommand = (program, args) => network.host.run("setpriv", ["--reuid", "65534", "--clear-groups", program, ...args]);
      const tree = cgroupTree({ root: dirname(folder) });
      const pathOf = (id: bigint) => tree.pathOf(String(id), ["gone", path("caught")]);
      expect(await socketCgroup(asNobody, source, pathOf)).toBe(path("caught/id"));
      expect(await socketCgroup(network.host.run, { ...source, port: port === 1024 ? 1025 : 1024 }, pathOf)).toBeUndefined();
    });

    test("a rule of theirs that somebody takes out is a difference", async () => {
      await apply(ruleSet("all"));
      const damage: Record<string, readonly [string, ...string[]]> = {
        nftables: ["nft", "flush", "chain", "inet", "imdsgate", "output"],
        "iptables-nft": ["iptables-nft", "-t", "nat", "-F", "IMDSGATE-OUT"],
        "iptables-legacy": ["iptables-legacy", "-t", "nat", "-F", "IMDSGATE-OUT"],
      };
      const [program, ...args] = damage[name] ?? ["false"];
      await network.host.sh(program, args);
      const found = await backend.differences(ruleSet("all"));
      expect(found.length).toBeGreaterThan(0);
      expect(found.every(({ kind, part }) => kind === "missing" && part === "redirect")).toBe(true);
    });

    test("going back to no capture takes their rules out, and the removal leaves the host as it was", async () => {
      const before = await dumpRules(network.host);
      const without = { ...ruleSet("all"), hostNetwork: undefined };
      await apply(ruleSet("all"));
      await backend.apply(without);
      expect((await backend.differences(without)).map(differenceLine)).toEqual([]);
      const rows = rowsFor(FOUR, ...REAL);
      expect(await answers(rows)).toEqual(wantedOf(rows));
      await backend.apply(ruleSet("all"));
      await backend.remove();
      expect(await dumpRules(network.host)).toBe(before);
    });
  },
);
