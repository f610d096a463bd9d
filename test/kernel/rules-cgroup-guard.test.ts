import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { runRules } from "../../src/commands/rules.ts";
import { cgroupGuard } from "../../src/rules/cgroup-guard.ts";
import { cgroupTree } from "../../src/rules/cgroup-tree.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { EMPTY, startCommandedHost } from "./commanded-host.ts";
import { dumpRules } from "./dump.ts";
import { GATEWAY_PORT } from "./network.ts";

const OWN_TABLE = "nftables: nft is installed, and a table of our own outlives what others do to iptables.\n";
const GONE = "containers reach the real metadata service, and with it the role of this host.\n";
function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-rules-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "imdsgate.yaml"), text);
  return join(folder, "imdsgate.yaml");
}

const GUARD_TABLE = "table inet imdsgate-cgroups";
const WAITING = "What starts on this host from now on waits for its metadata until imdsgate runs, 60 s at most.\n";

test("apply holds back what starts before imdsgate, again each time, and remove takes that out too", async () => {
  const { host, rules } = await startCommandedHost(EMPTY);
  const before = await dumpRules(host);
  for (const _ of [1, 2]) expect(await rules("apply")).toMatchObject({ exitCode: 0, err: `${OWN_TABLE}${WAITING}` });
  expect(await host.sh("nft", ["list", "tables"])).toContain(GUARD_TABLE);
  expect((await rules("show")).out).toContain(
    "# - inet imdsgate-cgroups output-guard: holds back what a new cgroup of this host sends to the metadata addresses",
  );
  expect((await rules("remove")).out).toBe(`The rules of imdsgate are gone (cgroup guard by nft, nftables): ${GONE}`);
  expect(await dumpRules(host)).toBe(before);
});

test("apply holds nothing back where no gateway of its own follows: for another's rules, beside a redirect, with --all", async () => {
  const { host, rules } = await startCommandedHost(EMPTY);
  await rules("apply", { rules: "external" });
  await rules("apply", { config: fileWith("runtime: none\n") });
  await rules("apply", { all: true });
  await rules("apply");
  expect(await host.sh("nft", ["list", "tables"])).not.toContain(GUARD_TABLE);
});

test("a guard that fails keeps no rules out, and is told", async () => {
  const { host } = await startCommandedHost();
  const run: RunCommand = (program, args, input) =>
    input?.startsWith("add table inet imdsgate-cgroups") === true && !args.includes("--check")
      ? Promise.resolve({ exitCode: 1, stdout: "", stderr: "Error: it does not like that", isMissing: false })
      : host.run(program, args, input);
  let said = "";
  const err = (text: string) => {
    said += text;
  };
  const io = { out: () => {}, err, isTerminal: false, signal: new AbortController().signal, environment: {} };
  expect(await runRules({ action: "apply", all: false }, io, { run, clock: systemClock, tree: EMPTY })).toBe(0);
  expect(said).toContain('There is no cgroup guard until imdsgate runs: "nft -f -" ended with 1: "Error: it does not like that"');
  expect(await host.sh("nft", ["list", "tables"])).toContain("table inet imdsgate-closed");
});

test.skipIf(process.getuid?.() !== 0)(
  "check asks for no rule of a container that the guard holds back, and for each of one that has some (needs root, to make cgroups)",
  async () => {
    const folder = await makeCgroup("check");
    onTestFinished(() => removeCgroup(folder));
    const top = basename(folder);
    const [caught, elsewhere] = ["a", "b"].map((letter) => `docker-${letter.repeat(64)}.scope`);
    for (const name of [caught, elsewhere]) mkdirSync(join(folder, name ?? ""));
    const children = (path: string) => (path === "" ? [top] : path === top ? [caught ?? "", elsewhere ?? ""] : []);
    const tree = { ...cgroupTree(), isPart: false, children };
    const { host, rules } = await startCommandedHost(tree);
    const backend = nftablesBackend(host.run);
    const hostNetwork = { caught: [`${top}/${caught}`], exempt: [] };
    const check = async () => (await rules("check", { all: true })).exitCode;

    await backend.apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["ens5"], workloadInterfaces: [], hostNetwork });
    expect(await check()).toBe(1);
    const prefix = tree.version === "hybrid" ? "unified/" : "";
    await cgroupGuard(host.run).put({ prefix, shared: [top], known: [top], ownContainer: undefined });
    expect(await check()).toBe(0);
    await host.sh("nft", ["flush", "chain", "inet", "imdsgate", "output"]);
    expect(await check()).toBe(1);
  },
);
