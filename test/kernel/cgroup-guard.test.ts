import { mkdirSync, rmdirSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type CgroupGuard, type CgroupGuardSet, canGuardCgroups, cgroupGuard } from "../../src/rules/cgroup-guard.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { dumpRules } from "./dump.ts";
import { type Namespace, startInCgroup } from "./namespace.ts";
import { decoyCount, GATEWAY_PORT, IMDS4, IMDS6, type Network, startNetwork, timeoutFor } from "./network.ts";

const REAL = { 4: "decoy saw 10.77.0.2 on 169.254.169.254", 6: "decoy6 saw fd77::2 on fd00:ec2::254" } as const;
const GATEWAY = { 4: "gateway saw 10.77.0.2 on 127.0.0.1", 6: "gateway6 saw fd77::2 on ::1" } as const;
const SILENCE = { 4: "silence", 6: "silence" } as const;

/** Who asks, by the cgroup below that of the test. A template unit of systemd is in a slice with such a name. */
const PLACES = {
  service: "system-a\\x2db.slice/b@1.service",
  "below a service": "cron.service/session",
  new: "new",
  "below the new one": "new/deeper",
  "new in a slice": "system-a\\x2db.slice/new",
  gateway: "gateway",
} as const;
type Who = keyof typeof PLACES;

describe.skipIf(process.getuid?.() !== 0)("the cgroup guard (needs root, to make cgroups)", () => {
  let network: Network;
  let folder: string;
  let guard: CgroupGuard;
  const processes = new Map<Who, Namespace>();
  const path = (below: string) => `${basename(folder)}/${below}`;

  beforeAll(async () => {
    network = await startNetwork();
    guard = cgroupGuard(network.host.run);
    folder = await makeCgroup("cgroup-guard");
    for (const [who, place] of Object.entries(PLACES) as [Who, string][]) {
      mkdirSync(join(folder, place), { recursive: true });
      processes.set(who, await startInCgroup(network.host, join(folder, place)));
    }
  });
  afterAll(async () => {
    for (const one of processes.values()) await one[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
    await removeCgroup(folder);
  });

  function knowing(more: readonly string[] = []): CgroupGuardSet {
    const known = ["cron.service", "system-a\\x2db.slice", "system-a\\x2db.slice/b@1.service", ...more];
    return {
      prefix: cgroupTree().version === "hybrid" ? "unified/" : "",
      shared: [basename(folder), path("system-a\\x2db.slice")],
      known: [basename(folder), ...known.map(path)],
      ownContainer: path("gateway"),
    };
  }

  async function put(set: CgroupGuardSet): Promise<void> {
    onTestFinished(async () => {
      await guard.remove();
    });
    await guard.put(set);
  }

  function ask(who: Who, version: 4 | 6, timeoutMs: number): Promise<string | undefined> | undefined {
    return processes.get(who)?.ask({ act: "request", host: version === 4 ? IMDS4 : IMDS6, port: 80, timeoutMs });
  }

  /** Has these ask over both families, and tells what they heard and how many connections the real service saw. */
  async function heardBy(wanted: readonly (readonly [Who, { readonly 4: string; readonly 6: string }])[]) {
    const before = await decoyCount(network);
    const heard = await Promise.all(
      wanted.map(async ([who, words]) => {
        const [over4, over6] = await Promise.all([ask(who, 4, timeoutFor(words[4])), ask(who, 6, timeoutFor(words[6]))]);
        return [who, { 4: over4, 6: over6 }] as const;
      }),
    );
    return { heard, decoySaw: (await decoyCount(network)) - before };
  }

  const ALL = Object.keys(PLACES) as Who[];
  const HELD: readonly Who[] = ["new", "below the new one", "new in a slice"];

  test("can be had on this kernel", async () => {
    expect(await canGuardCgroups(network.host.run, { isNested: false })).toBe(true);
  });

  test("without it everybody reaches the real service", async () => {
    const wanted = ALL.map((who) => [who, REAL] as const);
    expect(await heardBy(wanted)).toEqual({ heard: wanted, decoySaw: 2 * ALL.length });
  });

  test("holds back whoever is in a cgroup that is not known, however deep, and nobody else", async () => {
    await put(knowing());
    const wanted = ALL.map((who) => [who, HELD.includes(who) ? SILENCE : REAL] as const);
    expect(await heardBy(wanted)).toEqual({ heard: wanted, decoySaw: 2 * (ALL.length - HELD.length) });
  });

  test("so it does with what is new right below the root, and does not look further where nothing is shared", async () => {
    await put({ ...knowing(), shared: [], known: [] });
    expect(await heardBy([["service", SILENCE]])).toEqual({ heard: [["service", SILENCE]], decoySaw: 0 });
    await put({ ...knowing(), shared: [], known: [basename(folder)] });
    expect(await heardBy([["new", REAL]])).toEqual({ heard: [["new", REAL]], decoySaw: 2 });
  });

  test.for([4, 6] as const)(
    "what it held back comes through once the cgroup is known: a new service waits, and fails in nothing (IPv%s)",
    async (version) => {
      await put(knowing());
      const heard = ask("new", version, timeoutFor(REAL[version]));
      await expect.poll(() => droppedBy(version)).toBeGreaterThan(0);
      await guard.put(knowing(["new"]));
      expect(await heard).toBe(REAL[version]);
    },
  );

  test.for([4, 6] as const)(
    "a container that it held back is led to the gateway, by the redirect that comes later (IPv%s)",
    async (version) => {
      await put(knowing());
      const before = await decoyCount(network);
      const heard = ask("new", version, timeoutFor(GATEWAY[version]));
      await expect.poll(() => droppedBy(version)).toBeGreaterThan(0);
      const backend = nftablesBackend(network.host.run);
      onTestFinished(async () => void (await backend.remove()));
      const hostNetwork = { caught: [path("new")], exempt: [] };
      await backend.apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [], hostNetwork });
      expect(await heard).toBe(GATEWAY[version]);
      expect((await decoyCount(network)) - before).toBe(0);
    },
  );

  test("a cgroup that is made anew under a known path is not the one that was known", async () => {
    const fleeting = join(folder, "fleeting");
    mkdirSync(fleeting);
    await put(knowing(["fleeting"]));
    rmdirSync(fleeting);
    mkdirSync(fleeting);
    const late = await startInCgroup(network.host, fleeting);
    onTestFinished(async () => {
      await late[Symbol.asyncDispose]();
      rmdirSync(fleeting);
    });
    const asks = () => late.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: timeoutFor("silence") });
    expect(await asks()).toBe("silence");
    await guard.put(knowing(["fleeting"]));
    expect(await asks()).toBe(REAL[4]);
  });

  test("holds for 60 s at a time: where nobody keeps it alive everybody passes", async () => {
    await put(knowing());
    expect(await network.host.sh("nft", ["list", "set", "inet", "imdsgate-cgroups", "alive"])).toContain("timeout 1m expires");
    expect(await guard.isHolding()).toBe(true);
    // what the kernel does when the time is over
    await network.host.sh("nft", ["flush", "set", "inet", "imdsgate-cgroups", "alive"]);
    expect(await guard.isHolding()).toBe(false);
    expect(await heardBy([["new", REAL]])).toEqual({ heard: [["new", REAL]], decoySaw: 2 });
    await guard.put(knowing());
    expect(await heardBy([["new", SILENCE]])).toEqual({ heard: [["new", SILENCE]], decoySaw: 0 });
  });

  test("a path that is not there fails it, and what stood stands", async () => {
    await put(knowing());
    await expect(guard.put(knowing(["gone"]))).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(await heardBy([["new", SILENCE]])).toEqual({ heard: [["new", SILENCE]], decoySaw: 0 });
  });

  test("its removal leaves the host as it was", async () => {
    const before = await dumpRules(network.host);
    await guard.put(knowing());
    expect((await guard.standing()).chains).toHaveLength(1);
    expect([await guard.remove(), await guard.remove()]).toEqual([true, false]);
    expect(await dumpRules(network.host)).toBe(before);
  });

  /** How many packets of a family it has dropped. */
  async function droppedBy(version: 4 | 6): Promise<number> {
    const listed = await network.host.sh("nft", ["list", "table", "inet", "imdsgate-cgroups"]);
    const rules = listed.matchAll(new RegExp(`ip${version === 4 ? "" : "6"} daddr .*counter packets (\\d+) .*drop`, "g"));
    return [...rules].reduce((sum, [, packets]) => sum + Number(packets), 0);
  }
});
