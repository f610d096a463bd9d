import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { parseConfig } from "../src/config/config.ts";
import type { ImdsgateEvent } from "../src/events.ts";
import { createHostRules } from "../src/host-rules.ts";
import { cgroupTree } from "../src/rules/cgroup-tree.ts";
import type { CommandResult, RunCommand } from "../src/run-command.ts";
import { createWorld } from "../src/world.ts";
import { handMovedClock } from "./support/hand-moved-clock.ts";

const OK: CommandResult = { exitCode: 0, stdout: "", stderr: "", isMissing: false };

/** An nft that is played here: it lists the rules that it has loaded. `acts` is what it was told, in order. */
function playNft() {
  const acts: string[] = [];
  const kernel = { rules: "", tables: [""], questions: 0, isReleaseAsked: false, guardFails: false, beforeGuard: async () => {} };

  async function loadGuard(seconds: string): Promise<CommandResult> {
    await kernel.beforeGuard();
    acts.push(`guard for ${seconds} s`);
    return kernel.guardFails ? { ...OK, exitCode: 1, stderr: "Error: no such guard" } : OK;
  }

  async function load(script: string): Promise<CommandResult> {
    const [first, second] = script.split("\n");
    const [, seconds = ""] = /ipv4 timeout (\d+)s/.exec(script) ?? [];
    if (first === "add table inet imdsgate-cgroups") return loadGuard(seconds);
    if (second === "delete table inet imdsgate-released") {
      acts.push("mark taken out");
      kernel.isReleaseAsked = false;
    }
    if (first === "delete table inet imdsgate-cgroups") acts.push("guard taken out");
    if (first === "add table inet imdsgate") {
      acts.push(script.includes("redirect to") ? "all rules" : "closed rules");
      kernel.rules = script;
    }
    return OK;
  }

  function list(line: string): string {
    const [, table] = /^-s list table (inet imdsgate(?:-closed)?)$/.exec(line) ?? [];
    if (table !== undefined) return new RegExp(`^table ${table} \\{\n[\\s\\S]*?^\\}`, "m").exec(kernel.rules)?.[0] ?? "";
    if (line !== "list tables") return "";
    kernel.questions += kernel.isReleaseAsked ? 1 : 0;
    return [...kernel.tables, ...(kernel.isReleaseAsked ? ["table inet imdsgate-released"] : [])].join("\n");
  }

  const runCommand: RunCommand = async (program, args, input = "") => {
    if (program === "ip") return { ...OK, stdout: "[]" };
    if (program === "ls")
      return {
        ...OK,
        stdout: args
          .slice(2)
          .map((path) => `1 ${path}`)
          .join("\n"),
      };
    if (program !== "nft") return { ...OK, exitCode: undefined, isMissing: true };
    return args[0] === "-f" ? load(input) : { ...OK, stdout: list(args.join(" ")) };
  };
  return { acts, kernel, runCommand };
}

/** The rules of a host with Docker and cgroup v2. */
async function startHostRules(runtime = "docker") {
  const root = mkdtempSync(join(tmpdir(), "imdsgate-host-network-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, "cgroup.controllers"), "");
  const { acts, kernel, runCommand } = playNft();
  const events: ImdsgateEvent[] = [];
  let tellChange = (_: string) => {};
  const clock = handMovedClock();
  const config = parseConfig({
    flags: { rules: "nftables", runtime, ...(runtime === "docker" ? { "docker-socket": "/nowhere.sock" } : {}) },
    environment: {},
  });
  const world = {
    ...createWorld(config),
    clock,
    runCommand,
    cgroupTree: cgroupTree({ root, procRoot: "/nowhere" }),
    async followCommand(_: string, args: readonly string[], onLine: (line: string) => void, signal: AbortSignal) {
      if (args.join(" ") === "monitor") tellChange = onLine;
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  };
  const rules = await createHostRules(config, world, (event) => events.push(event));
  if (rules === undefined) throw new Error("there are no rules");
  const ending = new AbortController();
  return {
    acts,
    events,
    kernel,
    clock,
    rules,
    /** Somebody changes the rules, and nft says so. */
    change(act: () => void) {
      act();
      tellChange("delete table inet imdsgate");
    },
    make: (path: string) => mkdirSync(join(root, path), { recursive: true }),
    guards: () => acts.filter((act) => act.startsWith("guard ")),
    /** Keeps all until the test, or `end`, ends it. */
    async keep() {
      await rules.apply("all", 18_169);
      const running = rules.run(ending.signal);
      onTestFinished(async () => {
        ending.abort();
        await running;
      });
      const before = acts.length;
      await vi.waitFor(() => expect(acts.length).toBeGreaterThan(before + 1));
      acts.length = 0;
      return { running, end: () => ending.abort() };
    },
  };
}

test("the guard goes in right after the rules: a place that no rule catches yet is never open", async () => {
  const { rules, acts } = await startHostRules();
  await rules.apply("closed", 18_169);
  await rules.apply("all", 18_169);
  expect(acts).toEqual(["closed rules", "guard for 60 s", "all rules", "guard for 60 s"]);
});

test("a guard that fails keeps no rules out, and is told once", async () => {
  const { rules, acts, events, kernel } = await startHostRules();
  kernel.guardFails = true;
  await rules.apply("closed", 18_169);
  await rules.apply("all", 18_169);
  expect(acts).toContain("all rules");
  const message = expect.stringContaining("Error: no such guard");
  expect(events.filter(({ kind }) => kind === "rules-unkept")).toEqual([{ kind: "rules-unkept", backend: "cgroup guard", message }]);
});

test("it is put in again each 20 s, for it holds for 60 s alone", async () => {
  const { keep, clock, guards } = await startHostRules();
  await keep();
  for (const times of [1, 2, 3]) {
    for (let second = 0; second < 20; second += 1) {
      clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await vi.waitFor(() => expect(guards().length).toBeGreaterThanOrEqual(times));
  }
});

test("it is put in again when the rules had to be repaired: who flushed those has flushed it too", async () => {
  const { keep, change, kernel, acts } = await startHostRules();
  await keep();
  change(() => {
    kernel.rules = "";
  });
  await vi.waitFor(() => expect(acts).toEqual(["all rules", "guard for 60 s"]));
});

test("who asks for the rules' release finds no guard put in after it was granted", async () => {
  const { keep, change, make, kernel, acts, clock } = await startHostRules();
  const { running } = await keep();
  const { promise: mayPut, resolve: letPut } = Promise.withResolvers<void>();
  kernel.beforeGuard = () => mayPut;
  make("new.service");
  clock.advance(100);
  change(() => {
    kernel.isReleaseAsked = true;
  });
  await vi.waitFor(() => expect(kernel.questions).toBeGreaterThan(0));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(acts).toEqual([]);
  letPut();
  await running;
  expect(acts).toEqual(["guard for 60 s", "mark taken out"]);
});

test("a gateway that ends leaves it for as long as the next one may take", async () => {
  const { keep, acts } = await startHostRules();
  const { running, end } = await keep();
  end();
  await running;
  expect(acts.filter((act) => act.startsWith("guard "))).toEqual(["guard for 60 s"]);
});

test("a container that the guard alone holds has its rule before the gateway ends: the guard holds for a minute, the rule stays", async () => {
  const { keep, make, clock, kernel, guards } = await startHostRules();
  const { running, end } = await keep();
  const path = `system.slice/docker-${"c0ffee".padEnd(64, "0")}.scope`;
  make(path);
  await vi.waitFor(() => {
    clock.advance(5);
    expect(guards().length).toBeGreaterThan(0);
  });
  expect(kernel.rules).not.toContain(path);
  end();
  await running;
  expect(kernel.rules).toContain(path);
});

test("a gateway that follows no container takes out the guard of the one before, which would hold back its own calls", async () => {
  const { rules, kernel, acts } = await startHostRules("none");
  kernel.tables = ["table inet imdsgate-cgroups"];
  await rules.apply("closed", 18_169);
  expect(acts).toEqual(["closed rules", "guard taken out"]);
});
