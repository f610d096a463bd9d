import { describe, expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { keepBridgeGuard } from "../../src/rules/bridge-guard-keeper.ts";
import type { BridgeGuarding } from "../../src/rules/bridge-guarding.ts";
import type { RuleDifference } from "../../src/rules/rule-differences.ts";
import type { FollowCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { flush } from "../support/identity.ts";

const DROP: RuleDifference = { kind: "missing", part: "closed", chain: "bridge imdsgate prerouting", rule: "counter drop" };
const GONE = "delete table bridge imdsgate";

/** A keeper of a guard of which `kernel.missing` tells the state, with an nft that says what the test says and ends when it says so. */
function startKeeper(tool: "nft" | "ebtables", ending = new AbortController()) {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const kernel = { missing: [] as readonly RuleDifference[], isBroken: false, looks: 0, onLook: () => {} };
  const programs: string[] = [];
  const nothingElse = () => {
    throw new Error("a keeper was not to ask that");
  };
  const bridgeGuarding: BridgeGuarding = {
    note: nothingElse,
    heldSince: nothingElse,
    run: nothingElse,
    async differences() {
      kernel.looks += 1;
      kernel.onLook();
      if (kernel.isBroken) throw new Error("nft: no");
      return kernel.missing;
    },
    async repair() {
      kernel.missing = [];
    },
  };
  let sayLine = (_: string) => {};
  let endProgram = () => {};
  const follow: FollowCommand = (program, args, onLine, signal) => {
    programs.push([program, ...args].join(" "));
    sayLine = onLine;
    return new Promise((resolve) => {
      endProgram = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  };
  const kept = keepBridgeGuard({ tool, bridgeGuarding, follow, clock, emit: (event) => void events.push(event) }, ending.signal);
  onTestFinished(() => ending.abort());
  return {
    clock,
    ending,
    events,
    kernel,
    kept,
    programs,
    endProgram: () => endProgram(),
    async say(line: string) {
      sayLine(line);
      await flush();
    },
    async pass(ms: number) {
      await flush();
      clock.advance(ms);
      await flush();
    },
  };
}

const repaired = (tool: string, repairs: number) => ({
  kind: "rules-repaired",
  backend: `guard (${tool})`,
  parts: "all",
  found: "missing in bridge imdsgate prerouting: counter drop",
  repairs,
});

test.for(["nft", "ebtables"] as const)("what somebody changes in the guard of %s is back and told within half a minute", async (tool) => {
  const { events, kernel, pass } = startKeeper(tool);
  await flush();
  for (const repairs of [1, 2]) {
    kernel.missing = [DROP];
    await pass(29_999);
    expect(events).toHaveLength(repairs - 1);
    await pass(1);
    expect([kernel.missing, events.at(-1)]).toEqual([[], repaired(tool, repairs)]);
  }
});

test("a guard that takes long to list is looked at as much more seldom, and each ten minutes at least", async () => {
  const { clock, kernel, pass } = startKeeper("nft");
  await flush();
  for (const { tookMs, pauseMs } of [
    { tookMs: 10, pauseMs: 30_000 },
    { tookMs: 100, pauseMs: 300_000 },
    { tookMs: 1_000, pauseMs: 600_000 },
  ]) {
    kernel.onLook = () => clock.advance(tookMs);
    await pass(600_000);
    kernel.onLook = () => {};
    const { looks } = kernel;
    await pass(pauseMs - 1);
    expect(kernel.looks).toBe(looks);
    await pass(1);
    expect(kernel.looks).toBe(looks + 1);
  }
});

describe("nft tells at once that all of the guard is gone", () => {
  test("and it is put in again", async () => {
    const { events, kernel, programs, say } = startKeeper("nft");
    await flush();
    kernel.missing = [DROP];
    await say(GONE);
    expect([kernel.missing, events, programs]).toEqual([[], [repaired("nft", 1)], ["nft monitor destroy tables"]]);
  });

  test.for([
    "delete table inet imdsgate",
    "delete table bridge imdsgatelike",
    "delete table bridge other",
    "add table bridge imdsgate",
    "",
  ])("which %j does not say", async (line) => {
    const { kernel, say } = startKeeper("nft");
    await flush();
    const { looks } = kernel;
    await say(line);
    expect(kernel.looks).toBe(looks);
  });

  test("and is asked anew, after ten seconds, when it ends by itself", async () => {
    const { endProgram, kernel, pass, programs, say } = startKeeper("nft");
    await flush();
    endProgram();
    await pass(9_999);
    expect(programs).toHaveLength(1);
    await pass(1);
    expect(programs).toHaveLength(2);
    kernel.missing = [DROP];
    await say(GONE);
    expect(kernel.missing).toEqual([]);
  });
});

test("of ebtables nothing tells", async () => {
  const { programs } = startKeeper("ebtables");
  await flush();
  expect(programs).toEqual([]);
});

test("a tool that fails is told once, and tried again until it works", async () => {
  const { events, kernel, pass } = startKeeper("nft");
  await flush();
  Object.assign(kernel, { isBroken: true, missing: [DROP] });
  await pass(30_000);
  await pass(200);
  expect(events).toEqual([{ kind: "rules-unkept", backend: "guard (nft)", message: "nft: no" }]);
  kernel.isBroken = false;
  await pass(200);
  expect(events.slice(1)).toEqual([repaired("nft", 1)]);
});

describe.for(["nft", "ebtables"] as const)("a keeper of the guard of %s", (tool) => {
  test("ends when it is told to, with no timer left and the guard as it is", async () => {
    const { clock, ending, kernel, kept } = startKeeper(tool);
    await flush();
    kernel.missing = [DROP];
    ending.abort();
    await kept;
    expect([clock.untilNext(), kernel.missing]).toEqual([undefined, [DROP]]);
  });

  test("that is told to end before it began does nothing", async () => {
    const ending = new AbortController();
    ending.abort();
    const { clock, kept, kernel, programs } = startKeeper(tool, ending);
    await kept;
    expect([kernel.looks, programs, clock.untilNext()]).toEqual([0, [], undefined]);
  });
});
