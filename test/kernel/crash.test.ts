import { describe, expect, onTestFinished, test } from "vitest";
import type { Backend, BackendName } from "../../src/rules/backend.ts";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import { removeAllRules } from "../../src/rules/rules.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { dumpRules } from "./dump.ts";
import { loadForeignRules } from "./foreign-rules.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";
import { GATEWAY_PORT, IMDS4, IMDS6, request, startNetwork } from "./network.ts";

const LIMIT_MS = 180_000;
const ALL: RuleSet = { parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] };
const CLOSED: RuleSet = { ...ALL, parts: "closed" };

/** A backend as a process has it that was just started: it knows only what stands in the kernel. */
const newBackend: Readonly<Record<BackendName, (run: RunCommand) => Backend>> = {
  nftables: nftablesBackend,
  "iptables-nft": (run) => iptablesBackend(run, "nft"),
  "iptables-legacy": (run) => iptablesBackend(run, "legacy"),
};

/** Does `act` in a process that is killed after it has run `commands` programs. Tells whether it came to its end before that. */
async function killedAfter(commands: number, run: RunCommand, act: (run: RunCommand) => Promise<unknown>): Promise<boolean> {
  let left = commands;
  let wasKilled = false;
  const limited: RunCommand = (...call) => {
    left -= 1;
    if (left >= 0) return run(...call);
    wasKilled = true;
    return Promise.reject(new Error("killed"));
  };
  await act(limited).catch(() => {});
  return !wasKilled;
}

async function startHost(prepare: (host: Namespace) => Promise<void>): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await prepare(host);
  return host;
}

const CASES = (["nftables", "iptables-nft", "iptables-legacy"] as const).flatMap((name) => [
  { name, host: "a host without any rules", prepare: async () => {} },
  { name, host: "a host with rules of others", prepare: loadForeignRules },
]);

describe.for(CASES)("$name on $host", { timeout: LIMIT_MS }, ({ name, prepare }) => {
  test("killed after any step of an apply, a removal leaves the host as found, also after another apply", async () => {
    const host = await startHost(prepare);
    const before = await dumpRules(host);
    let isWhole = false;
    for (let steps = 0; !isWhole; steps += 1) {
      isWhole = await killedAfter(steps, host.run, (run) => newBackend[name](run).apply(ALL));
      await removeAllRules(host.run);
      expect(await dumpRules(host), `killed after ${steps} steps`).toBe(before);

      await killedAfter(steps, host.run, (run) => newBackend[name](run).apply(ALL));
      await newBackend[name](host.run).apply(ALL);
      await removeAllRules(host.run);
      expect(await dumpRules(host), `killed after ${steps} steps, then applied`).toBe(before);
    }
  });

  test("killed after any step of a removal, the next one leaves the host as found", async () => {
    const host = await startHost(prepare);
    const before = await dumpRules(host);
    let isWhole = false;
    for (let steps = 0; !isWhole; steps += 1) {
      await newBackend[name](host.run).apply(ALL);
      isWhole = await killedAfter(steps, host.run, (run) => newBackend[name](run).remove());
      await removeAllRules(host.run);
      expect(await dumpRules(host), `killed after ${steps} steps`).toBe(before);
    }
  });
});

test.for(["nftables", "iptables-nft", "iptables-legacy"] as const)(
  "%s: once the closed part stood, no step at which an apply is killed opens the way",
  { timeout: LIMIT_MS },
  async (name) => {
    const network = await startNetwork();
    onTestFinished(() => network[Symbol.asyncDispose]());
    const { run } = network.host;
    expect(await request(network, "ca", { host: IMDS4, port: 80 }, "decoy")).toMatch(/^decoy /);
    await newBackend[name](run).apply(CLOSED);
    const said: string[] = [];
    let isWhole = false;
    for (let steps = 0; !isWhole; steps += 1) {
      isWhole = await killedAfter(steps, run, (limited) => newBackend[name](limited).apply(ALL));
      for (const host of [IMDS4, IMDS6]) said.push((await request(network, "ca", { host, port: 80 }, "silence")).replace(/ .*/, ""));
      await newBackend[name](run).apply(CLOSED);
    }
    expect(new Set(said.map((word) => word.replace("6", "")))).toEqual(new Set(["silence", "gateway"]));
  },
);
