import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../src/config/config.ts";
import type { ImdsgateEvent } from "../src/events.ts";
import { NOTHING } from "../src/handover/handed-over.ts";
import { createRuleKeeping } from "../src/rule-keeping.ts";
import type { RunCommand } from "../src/run-command.ts";
import { createWorld, type World } from "../src/world.ts";
import { handMovedClock } from "./support/hand-moved-clock.ts";

const settled = async () => {
  for (let k = 0; k < 20; k += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Rules by an nft that is played here, and that lists nothing of what it has loaded. `acts` is what it was told: which part it loaded, and when what changes was watched, or no more. */
function startKeeping(over: Partial<World> = {}) {
  const acts: string[] = [];
  const events: ImdsgateEvent[] = [];
  const runCommand: RunCommand = async (program, args, input = "") => {
    if (program === "nft" && args[0] === "-f") acts.push(input.includes("redirect to") ? "all" : "closed");
    const isMissing = !["nft", "ip"].includes(program);
    return { exitCode: isMissing ? undefined : 0, stdout: program === "ip" ? "[]" : "", stderr: "", isMissing };
  };
  const followCommand: World["followCommand"] = async (_, __, ___, signal) => {
    acts.push("watch");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    acts.push("no watch");
  };
  const config = parseConfig({ flags: { rules: "nftables", runtime: "none", upstream: "http://127.0.0.1:9" }, environment: {} });
  const world = { ...createWorld(config), runCommand, followCommand, clock: handMovedClock(), ...over };
  const running = new AsyncDisposableStack();
  onTestFinished(() => running.disposeAsync());
  const emit = (event: ImdsgateEvent) => void events.push(event);
  return { acts, events, running, rules: createRuleKeeping({ config, world, emit, running, ending: new AbortController().signal }) };
}

test("the first gateway closes, keeps that, and opens", async () => {
  const { acts, rules } = startKeeping();
  await rules.close(18_169);
  await settled();
  expect(acts.slice(0, 2)).toEqual(["closed", "watch"]);
  expect(acts).not.toContain("all");
  await rules.open(18_169);
  expect(acts).toContain("all");
});

test("one that takes another's place closes nothing: it keeps nothing before it has replaced all by all", async () => {
  const { acts, events, rules } = startKeeping({ handedOver: NOTHING });
  await rules.close(18_169);
  await settled();
  expect(acts).toEqual([]);
  await rules.open(18_169);
  await settled();
  expect(acts.slice(0, 2)).toEqual(["all", "watch"]);
  expect(events.filter(({ kind }) => kind === "rules-applied")).toEqual([{ kind: "rules-applied", backend: "nftables", parts: "all" }]);
});

test("what is put down is kept no more, until it is taken up again; after the end it stays down", async () => {
  const { acts, running, rules } = startKeeping({ handedOver: NOTHING });
  await rules.close(18_169);
  await rules.open(18_169);
  await settled();
  await rules.putDown();
  expect(acts.at(-1)).toBe("no watch");
  const before = acts.length;
  await settled();
  expect(acts).toHaveLength(before);
  rules.takeUp();
  await settled();
  expect(acts.slice(before)).toContain("watch");
  await running.disposeAsync();
  const ended = acts.length;
  rules.takeUp();
  await settled();
  expect(acts).toHaveLength(ended);
});
