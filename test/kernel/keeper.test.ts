import { readdir, readFile, readlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { BackendName } from "../../src/rules/backend.ts";
import { DAMAGES } from "./damage.ts";
import { rulesText } from "./dump.ts";
import { type KeptHost, startKept } from "./kept-host.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";
import { GATEWAY_PORT, IMDS4, request, startNetwork } from "./network.ts";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const BACKENDS = ["nftables", "iptables-nft", "iptables-legacy"] as const;

async function startHost(backend: BackendName): Promise<{ readonly host: Namespace; readonly kept: KeptHost }> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await host.sh(
    "ip",
    ["-batch", "-"],
    "link set lo up\nlink add eth0 type veth peer name far\nlink set eth0 up\nroute add default dev eth0\n",
  );
  const kept = await startKept(host, backend);
  onTestFinished(kept.stop);
  return { host, kept };
}

const isRepair = ({ kind }: ImdsgateEvent) => kind === "rules-repaired";

describe.for(BACKENDS)("the keeper of %s", (backend) => {
  test("sets right each kind of damage, tells it once, and leaves the rules of others alone", async () => {
    const { host, kept } = await startHost(backend);
    const before = await rulesText(host);
    for (const [index, damage] of DAMAGES[backend].entries()) {
      await damage.act(host);
      const event = await kept.told(isRepair, index);
      expect([damage.name, event]).toEqual([damage.name, { ...event, found: expect.stringContaining(`${damage.kind} in `) }]);
      await damage.undo?.(host);
      expect(await rulesText(host), damage.name).toBe(before);
      kept.forget();
    }
    expect(kept.events.map((event) => (event.kind === "rules-repaired" ? event.repairs : event.kind))).toEqual(
      DAMAGES[backend].map((_, index) => index + 1),
    );
  });

  test("does not fight: what is changed again and again ends closed, with an alarm, and not in the hands of either", async () => {
    const network = await startNetwork();
    onTestFinished(() => network[Symbol.asyncDispose]());
    const { host } = network;
    const kept = await startKept(host, backend);
    onTestFinished(kept.stop);
    const takeRedirectOut =
      backend === "nftables"
        ? () => host.sh("nft", ["delete chain inet imdsgate prerouting"])
        : () => host.sh(backend, ["-w", "-t", "nat", "-F"]);
    for (let round = 0; round < 5; round++) {
      await takeRedirectOut();
      await kept.told(isRepair, round);
    }
    expect(await request(network, "ca", { host: IMDS4, port: 80 }, "gateway")).toBe("gateway saw 172.30.0.2 on 172.30.0.1");
    await takeRedirectOut();
    await kept.told(isRepair, 6);
    expect(kept.events.slice(5)).toEqual([
      { kind: "rules-flapping", backend, found: expect.stringContaining("missing in "), backOffMs: 30_000 },
      { kind: "rules-repaired", backend, parts: "closed", found: expect.stringContaining("missing in "), repairs: 6 },
    ]);
    expect(await kept.rules.differences("closed", GATEWAY_PORT)).toEqual([]);
    expect(await request(network, "ca", { host: IMDS4, port: 80 }, "silence")).toBe("silence");
  });

  test("ends with the gateway: no program of it stays, and the rules do", async () => {
    const { host, kept } = await startHost(backend);
    const before = await rulesText(host);
    await kept.stop();
    expect(await programsIn(host)).toEqual([]);
    expect(await rulesText(host)).toBe(before);
  });
});

/** What firewalld makes anew when it is reloaded; with either of its backends it empties the tables of iptables too, one after the other. */
const FIREWALLD =
  "table inet firewalld { chain filter_INPUT { type filter hook input priority filter + 10; policy accept; ct state invalid drop; }; }";

test.for(BACKENDS)("a reload of firewalld costs %s at most a repair or two, and it is no fight", async (backend) => {
  const { host, kept } = await startHost(backend);
  await host.sh("nft", [FIREWALLD]);
  const before = await rulesText(host);
  await host.sh("nft", [`delete table inet firewalld; ${FIREWALLD}`]);
  for (const program of backend === "iptables-legacy" ? ["iptables-legacy", "ip6tables-legacy"] : ["iptables-nft", "ip6tables-nft"]) {
    for (const table of ["mangle", "nat", "filter"]) await host.sh(`${program}-restore`, ["-w"], `*${table}\nCOMMIT\n`);
  }
  if (backend !== "nftables") await kept.told(isRepair, 0);
  await vi.waitUntil(async () => (await rulesText(host)) === before, { timeout: 10_000 });
  expect(kept.events.every(isRepair)).toBe(true);
  expect(kept.events.length > 0).toBe(backend !== "nftables");
});

test.for(["nftables", "iptables-nft"] as const)("a monitor that somebody kills costs %s nothing but a moment", async (backend) => {
  const { host, kept } = await startHost(backend);
  const damage = DAMAGES[backend].at(0);
  // The first repair shows that it watches.
  await damage?.act(host);
  await kept.told(isRepair, 0);
  const monitors = await pidsIn(host, "nft monitor");
  expect(monitors).toHaveLength(1);
  for (const pid of monitors) process.kill(pid, "SIGKILL");
  await damage?.act(host);
  await kept.told(isRepair, 1);
  expect(await kept.rules.differences("all", GATEWAY_PORT)).toEqual([]);
});

test("imdsgate run keeps its rules until it stops, and then leaves them", async () => {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await host.sh("ip", ["link", "set", "lo", "up"]);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ready = Promise.withResolvers<string>();
  const args = ["--rules", "nftables", "--runtime", "none", "--upstream", "http://127.0.0.1:9", "--region", "eu-central-1"];
  const ended = host.follow(process.execPath, [CLI, "run", ...args], ready.resolve, stop.signal);
  expect(await Promise.race([ready.promise, ended])).toBe("ready 0.0.0.0:18169 [::]:18169 rules=nftables");

  const before = await rulesText(host);
  await host.sh("nft", ["flush ruleset"]);
  await vi.waitUntil(async () => (await rulesText(host)) === before, { timeout: 10_000 });
  stop.abort();
  await ended;
  expect(await programsIn(host)).toEqual([]);
  expect(await rulesText(host)).toBe(before);
});

/** What runs in a host's network namespace besides its agent. */
async function programsIn(host: Namespace): Promise<readonly string[]> {
  const pids = await pidsIn(host);
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
}

async function pidsIn(host: Namespace, command?: string): Promise<readonly number[]> {
  const namespaceOf = (pid: string) => readlink(`/proc/${pid}/ns/net`).catch(() => "");
  const own = await namespaceOf(String(host.pid));
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry) && Number(entry) !== host.pid);
  const inside = await Promise.all(pids.map(async (pid) => ((await namespaceOf(pid)) === own ? [Number(pid)] : [])));
  const named = inside.flat().map(async (pid) => {
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return command === undefined || words.split("\0").join(" ").trim() === command ? [pid] : [];
  });
  return (await Promise.all(named)).flat();
}
