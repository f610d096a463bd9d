import { describe, expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { BridgeGuard } from "../../src/rules/bridge-guard.ts";
import type { BridgeGuardSet } from "../../src/rules/bridge-guard-set.ts";
import { createBridgeGuarding } from "../../src/rules/bridge-guarding.ts";
import type { FollowCommand, RunCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { flush } from "../support/identity.ts";

const WEB = { id: "web", interfaceIndexes: [7], macs: ["02:00:00:00:00:0a"], addresses: ["172.17.0.2"] };
const DB = { id: "db", interfaceIndexes: [9], macs: ["02:00:00:00:00:0b"], addresses: ["172.17.0.3"] };
const LINKS = [
  { ifname: "docker0", addr_info: [{ local: "172.17.0.1", prefixlen: 16 }] },
  { ifname: "veth7", link_index: 7, link_netnsid: 0, master: "docker0" },
  { ifname: "veth9", link_index: 9, link_netnsid: 1, master: "docker0" },
];

/** A guard in a kernel that the test can make refuse, or think for longer. */
function kept() {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const puts: (readonly string[])[] = [];
  const kernel = { isRefusing: false, isDead: false, links: LINKS, isForgotten: 0, calls: [] as string[], answer: Promise.resolve() };
  const guard: BridgeGuard = {
    tool: "nft",
    async put({ ports }: BridgeGuardSet) {
      puts.push(ports.map(({ interfaceName }) => interfaceName));
      await kernel.answer;
      if (kernel.isRefusing) throw new Error("nft: no");
    },
    forget() {
      kernel.isForgotten += 1;
    },
    async keepAlive() {
      if (kernel.isDead) throw new Error("nft: no such table");
      kernel.calls.push("keep alive");
    },
    async remove() {
      kernel.calls.push("remove");
      return true;
    },
    differences: async () => [],
    standing: async () => ({ text: "", chains: [] }),
  };
  const runCommand: RunCommand = async () => ({ exitCode: 0, stdout: JSON.stringify(kernel.links), stderr: "", isMissing: false });
  let tellLine = (_: string) => {};
  const followCommand: FollowCommand = (program, args, onLine, signal) => {
    if ([program, ...args].join(" ") === "ip monitor link") tellLine = onLine;
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  };
  const bridgeGuarding = createBridgeGuarding({ guard, runCommand, followCommand, clock, emit: (event) => void events.push(event) });
  const end = new AbortController();
  void bridgeGuarding.run(end.signal);
  onTestFinished(() => end.abort());
  return { bridgeGuarding, clock, events, puts, kernel, end, tellLine: (line: string) => tellLine(line) };
}

describe("an address is held", () => {
  test("since it is in the kernel, for its own container alone", async () => {
    const { bridgeGuarding, clock, puts } = kept();
    clock.advance(500);
    bridgeGuarding.note([WEB]);
    await flush();
    expect(puts).toEqual([["veth7"]]);
    const since = clock.now();
    clock.advance(500);
    bridgeGuarding.note([WEB, DB]);
    await flush();
    expect([bridgeGuarding.heldSince("web", "172.17.0.2"), bridgeGuarding.heldSince("db", "172.17.0.3")]).toEqual([since, clock.now()]);
    expect([bridgeGuarding.heldSince("web", "172.17.0.3"), bridgeGuarding.heldSince("db", "172.17.0.2")]).toEqual([undefined, undefined]);
  });

  test("no more once its container is gone, also while the kernel takes its time", async () => {
    const { bridgeGuarding, kernel } = kept();
    bridgeGuarding.note([WEB, DB]);
    await flush();
    const answer = Promise.withResolvers<void>();
    kernel.answer = answer.promise;
    bridgeGuarding.note([DB]);
    await flush();
    expect([bridgeGuarding.heldSince("web", "172.17.0.2"), bridgeGuarding.heldSince("db", "172.17.0.3")]).toEqual([
      undefined,
      expect.any(Number),
    ]);
    answer.resolve();
    await flush();
    expect(bridgeGuarding.heldSince("db", "172.17.0.3")).toEqual(expect.any(Number));
  });

  test("not before the kernel has said so", async () => {
    const { bridgeGuarding, kernel } = kept();
    kernel.answer = new Promise(() => {});
    bridgeGuarding.note([WEB]);
    await flush();
    expect(bridgeGuarding.heldSince("web", "172.17.0.2")).toBeUndefined();
  });

  test("not where its container has no certain place", async () => {
    const { bridgeGuarding, events } = kept();
    bridgeGuarding.note([{ ...WEB, interfaceIndexes: [11] }]);
    await flush();
    expect(bridgeGuarding.heldSince("web", "172.17.0.2")).toBeUndefined();
    bridgeGuarding.note([{ ...WEB, interfaceIndexes: [11] }]);
    await flush();
    expect(events).toEqual([{ kind: "guard-gap", containers: ["web"] }]);
  });
});

test("notes that come while the kernel is busy go in together", async () => {
  const { bridgeGuarding, kernel, puts } = kept();
  const answer = Promise.withResolvers<void>();
  kernel.answer = answer.promise;
  bridgeGuarding.note([WEB]);
  await flush();
  bridgeGuarding.note([]);
  bridgeGuarding.note([WEB, DB]);
  answer.resolve();
  await flush();
  expect(puts).toEqual([["veth7"], ["veth7", "veth9"]]);
});

test("a kernel that refuses holds nothing, is told once, and is tried again after 1, 2, 4 … 30 s", async () => {
  const { bridgeGuarding, clock, events, kernel, puts } = kept();
  bridgeGuarding.note([WEB]);
  await flush();
  kernel.isRefusing = true;
  bridgeGuarding.note([WEB, DB]);
  await flush();
  expect([bridgeGuarding.heldSince("web", "172.17.0.2"), kernel.isForgotten]).toEqual([undefined, 1]);
  clock.advance(1_000);
  await flush();
  expect([puts.length, events]).toEqual([3, [{ kind: "rules-unkept", backend: "guard (nft)", message: "nft: no" }]]);
  for (const [index, seconds] of [2, 4, 8, 16, 30, 30].entries()) {
    clock.advance(seconds * 1_000 - 1);
    await flush();
    expect(puts.length).toBe(3 + index);
    clock.advance(1);
    await flush();
    expect(puts.length).toBe(4 + index);
  }
  kernel.isRefusing = false;
  clock.advance(30_000);
  await flush();
  expect(bridgeGuarding.heldSince("web", "172.17.0.2")).toBe(clock.now());
});

test("a repair puts in everything anew, and what is held is held from then on", async () => {
  const { bridgeGuarding, clock, kernel, puts } = kept();
  bridgeGuarding.note([WEB]);
  await flush();
  clock.advance(5_000);
  await bridgeGuarding.repair();
  expect([puts.length, kernel.isForgotten, bridgeGuarding.heldSince("web", "172.17.0.2")]).toEqual([2, 1, clock.now()]);
});

test("after its end nothing more goes in, and what was in is taken out", async () => {
  const { bridgeGuarding, puts, kernel, end } = kept();
  await flush();
  end.abort();
  bridgeGuarding.note([WEB]);
  await flush();
  expect([puts, kernel.calls]).toEqual([[[]], ["remove"]]);
});

test("a guard is kept alive each ten seconds, and goes in whole where that fails", async () => {
  const { bridgeGuarding, clock, kernel, puts } = kept();
  bridgeGuarding.note([WEB]);
  await flush();
  clock.advance(10_000);
  await flush();
  expect([kernel.calls, puts.length]).toEqual([["keep alive"], 1]);
  kernel.isDead = true;
  clock.advance(10_000);
  await flush();
  expect(bridgeGuarding.heldSince("web", "172.17.0.2")).toBeUndefined();
  kernel.isDead = false;
  clock.advance(1_000);
  await flush();
  expect([kernel.isForgotten, bridgeGuarding.heldSince("web", "172.17.0.2")]).toEqual([1, clock.now()]);
});

test("a container whose veth is gone is held no more, whatever the runtime says of it", async () => {
  const { bridgeGuarding, kernel, puts, tellLine } = kept();
  bridgeGuarding.note([WEB, DB]);
  await flush();
  kernel.links = LINKS.filter(({ ifname }) => ifname !== "veth7");
  tellLine("3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500");
  await flush();
  expect(puts.length).toBe(1);
  tellLine("Deleted 7: veth7@if6: <BROADCAST,MULTICAST> mtu 1500 link-netnsid 0");
  await flush();
  expect(puts).toEqual([["veth7", "veth9"], ["veth9"]]);
  expect([bridgeGuarding.heldSince("web", "172.17.0.2"), bridgeGuarding.heldSince("db", "172.17.0.3")]).toEqual([
    undefined,
    expect.any(Number),
  ]);
});
