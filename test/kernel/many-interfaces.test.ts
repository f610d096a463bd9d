import { describe, expect, onTestFinished, test } from "vitest";
import { createRules, removeAllRules } from "../../src/rules/rules.ts";
import { dumpRules } from "./dump.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";
import { GATEWAY_PORT } from "./network.ts";

/** Both ends of each pair stay on the host. */
const PAIRS = 2_000;
const LIMIT_MS = 240_000;

async function startHost(lines: readonly string[]): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  // Some at a time: no program runs for longer than 5 s.
  for (let from = 0; from < lines.length; from += 200)
    await host.sh("ip", ["-batch", "-"], `${lines.slice(from, from + 200).join("\n")}\n`);
  return host;
}

/** The programs that run while the rules go in, are looked at and go out; they leave nothing. */
async function programsOnHost(pairs: number, wish: "nftables" | "iptables"): Promise<readonly string[]> {
  const lines = Array.from({ length: pairs }, (_, index) => `link add veth${index}a type veth peer name veth${index}b`);
  const host = await startHost([...lines, "link set veth0a up", "link set veth0b up", "route add default dev veth0a"]);
  const before = await dumpRules(host);
  const programs: string[] = [];
  const counted: Namespace["run"] = (program, args, input) => {
    programs.push(program);
    return host.run(program, args, input);
  };
  const rules = await createRules(counted, wish, []);
  await rules.apply("all", GATEWAY_PORT);
  expect(await rules.differences("all", GATEWAY_PORT)).toEqual([]);
  await removeAllRules(counted);
  expect(await dumpRules(host)).toBe(before);
  // Some run at the same time, and begin in either order.
  return programs.toSorted();
}

describe("on a host with 4,000 veths", { timeout: LIMIT_MS }, () => {
  test.for(["nftables", "iptables"] as const)("the rules need no program more than on one with two: %s", async (wish) => {
    expect(await programsOnHost(PAIRS, wish)).toEqual(await programsOnHost(1, wish));
  });
});

describe("an interface name that Linux allows", () => {
  test.for(["fifteen-letters", "a", "eth0.100", "_x", "wan@1"])("and that rules can hold is an uplink like any other: %s", async (name) => {
    const host = await startHost([
      `link add name ${name} type veth peer name far`,
      `link set dev ${name} up`,
      `route add default dev ${name}`,
    ]);
    for (const wish of ["nftables", "iptables"] as const) {
      const before = await dumpRules(host);
      const rules = await createRules(host.run, wish, []);
      await rules.apply("all", GATEWAY_PORT);
      expect(await rules.differences("all", GATEWAY_PORT)).toEqual([]);
      expect((await rules.standing())[0]?.text).toContain(name);
      await rules.remove();
      expect(await dumpRules(host)).toBe(before);
    }
  });

  test.for(['q"uote', "star*", "plus+", "a;b", "$(id)", "ü"])(
    "but that a tool could read otherwise is refused, and nothing goes in: %s",
    async (name) => {
      const host = await startHost([]);
      await host.sh("ip", ["link", "add", "name", name, "type", "veth", "peer", "name", "far"]);
      await host.sh("ip", ["link", "set", name, "up"]);
      await host.sh("ip", ["route", "add", "default", "dev", name]);
      const before = await dumpRules(host);
      for (const wish of ["nftables", "iptables"] as const) {
        const rules = await createRules(host.run, wish, []);
        await expect(rules.apply("all", GATEWAY_PORT)).rejects.toMatchObject({
          code: "RULES_FAILED",
          message: expect.stringContaining(JSON.stringify(name)),
        });
        expect(await dumpRules(host)).toBe(before);
      }
      // Where it holds no default route, no rule names it.
      await host.sh("ip", ["route", "del", "default", "dev", name]);
      await (await createRules(host.run, "nftables", [])).apply("all", GATEWAY_PORT);
    },
  );
});
