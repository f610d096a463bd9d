import { describe, expect, test } from "vitest";
import type { BackendName } from "../../src/rules/backend.ts";
import { nftBridgeGuard, probeBridgeGuard } from "../../src/rules/bridge-guard.ts";
import { nftBridgeGuardChange, nftBridgeGuardScript } from "../../src/rules/nft-bridge-guard.ts";
import { type Answer, MISSING, scriptedRun } from "./scripted-run.ts";

const WEB = { interfaceName: "veth1", macs: ["02:00:00:00:00:02"], addresses: ["172.17.0.2"] };
const DB = { interfaceName: "veth2", macs: ["02:00:00:00:00:03"], addresses: ["172.17.0.3"] };
const ONE = { ports: [WEB], hostAddresses: [], bridges: [] };
const TWO = { ports: [WEB, DB], hostAddresses: [], bridges: [] };
const NO_TABLE: Answer = { exitCode: 1, stderr: "Error: No such file or directory\n" };
const HOST: Readonly<Record<string, Answer>> = {
  "nft -s list set bridge imdsgate bridges": NO_TABLE,
  "nft -f -": {},
  "ip -j link show dev veth1": { stdout: '[{"ifname":"veth1","master":"br-a"}]' },
  "ip -j link show dev veth2": { stdout: '[{"ifname":"veth2","master":"br-a"}]' },
  "ip -j -d link show type bridge": { stdout: '[{"ifname":"br-a","linkinfo":{"info_data":{"no_linklocal_learn":0}}}]' },
  "ip link set dev br-a type bridge no_linklocal_learn 1": {},
};

describe("putting a set in", () => {
  test("is whole the first time, remembers each bridge before it is told, and then only changes what differs", async () => {
    const { run, calls } = scriptedRun(HOST);
    const guard = nftBridgeGuard(run);
    await guard.put(ONE);
    expect(calls).toEqual([
      "nft -s list set bridge imdsgate bridges",
      `nft -f -\n${nftBridgeGuardScript(ONE)}`,
      "ip -j link show dev veth1",
      "ip -j -d link show type bridge",
      'nft -f -\nadd element bridge imdsgate bridges { "br-a" }\n',
      "ip link set dev br-a type bridge no_linklocal_learn 1",
    ]);
    await guard.put(TWO);
    expect(calls.slice(6)).toEqual([`nft -f -\n${nftBridgeGuardChange(ONE, TWO)}`, "ip -j link show dev veth2"]);
    await guard.put(TWO);
    expect(calls.slice(8)).toEqual([]);
    await guard.put(ONE);
    expect(calls.slice(8)).toEqual([`nft -f -\n${nftBridgeGuardChange(TWO, ONE)}`]);
  });

  test("is whole after forget, and the bridges are looked at again", async () => {
    const { run, calls } = scriptedRun(HOST);
    const guard = nftBridgeGuard(run);
    await guard.put(ONE);
    guard.forget();
    await guard.put(ONE);
    expect(calls.slice(6)).toEqual([
      "nft -s list set bridge imdsgate bridges",
      `nft -f -\n${nftBridgeGuardScript({ ...ONE, bridges: ["br-a"] })}`,
      "ip -j link show dev veth1",
      "ip -j -d link show type bridge",
      "ip link set dev br-a type bridge no_linklocal_learn 1",
    ]);
  });

  test("is whole where a change alone fails", async () => {
    const { run, calls } = scriptedRun(HOST);
    const guard = nftBridgeGuard((program, args, input) =>
      input?.startsWith("add element") && input.includes("veth2")
        ? Promise.resolve({ exitCode: 1, stdout: "", stderr: "No such file", isMissing: false })
        : run(program, args, input),
    );
    await guard.put(ONE);
    await guard.put(TWO);
    expect(calls[6]).toBe(`nft -f -\n${nftBridgeGuardScript({ ...TWO, bridges: ["br-a"] })}`);
  });

  test("of a name that rules cannot hold is refused before anything is run for it", async () => {
    const { run, calls } = scriptedRun(HOST);
    const guard = nftBridgeGuard(run);
    await guard.put(ONE);
    const seen = calls.length;
    const odd = { ports: [WEB, { ...DB, interfaceName: 'veth" accept' }], hostAddresses: [] };
    await expect(guard.put(odd)).rejects.toMatchObject({ code: "RULES_FAILED" });
    expect(calls.length).toBe(seen);
  });

  test("tells when it may not", async () => {
    const { run } = scriptedRun({ ...HOST, "nft -f -": { exitCode: 1, stderr: "Operation not permitted (you must be root)\n" } });
    await expect(nftBridgeGuard(run).put(ONE)).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
  });
});

test("before the first put nothing differs", async () => {
  const { run, calls } = scriptedRun({});
  expect(await nftBridgeGuard(run).differences()).toEqual([]);
  expect(calls).toEqual([]);
});

describe("the guard of a host", () => {
  const NFT = "nft --check -f -";
  const OLD_NFT: Answer = { exitCode: 1, stderr: "internal:0:0-0: Error: Could not process rule: Not supported\n" };
  const version = (stdout: string): Answer => ({ stdout });
  const DENIED: Answer = { exitCode: 255, stderr: "Permission denied (you must be root)\n" };
  const EBTABLES_NFT = version("ebtables 1.8.9 (nf_tables)\n");
  const EBTABLES_LEGACY = version("ebtables v2.0.11 (legacy) (December 2011)\n");

  test.for<{ name: string; backend: BackendName; answers: Readonly<Record<string, Answer>>; tool: string }>([
    { name: "nftables", backend: "nftables", answers: { [NFT]: {} }, tool: "nft" },
    { name: "iptables-nft beside nft", backend: "iptables-nft", answers: { [NFT]: {}, "ebtables-nft -V": EBTABLES_NFT }, tool: "nft" },
    { name: "iptables-legacy beside nft", backend: "iptables-legacy", answers: { [NFT]: {} }, tool: "nft" },
    { name: "iptables-nft alone", backend: "iptables-nft", answers: { [NFT]: MISSING, "ebtables-nft -V": EBTABLES_NFT }, tool: "ebtables" },
    {
      name: "iptables-nft by its plain name",
      backend: "iptables-nft",
      answers: { [NFT]: MISSING, "ebtables -V": EBTABLES_NFT },
      tool: "ebtables",
    },
    {
      name: "iptables-legacy, old nft",
      backend: "iptables-legacy",
      answers: { [NFT]: OLD_NFT, "ebtables-legacy -V": EBTABLES_LEGACY, "ebtables-legacy -t nat -L": {} },
      tool: "ebtables",
    },
    {
      name: "iptables-legacy by its plain name",
      backend: "iptables-legacy",
      answers: { [NFT]: MISSING, "ebtables -V": EBTABLES_LEGACY, "ebtables -t nat -L": DENIED },
      tool: "ebtables",
    },
  ])("is by $tool: $name", async ({ backend, answers, tool }) => {
    expect(await probeBridgeGuard(scriptedRun(answers).run, backend)).toMatchObject({ guard: { tool } });
  });

  test.for<{ name: string; backend: BackendName; answers: Readonly<Record<string, Answer>>; problem: string }>([
    {
      name: "an old nft",
      backend: "nftables",
      answers: { [NFT]: OLD_NFT },
      problem: 'There is no bridge guard: nft says "internal:0:0-0: Error: Could not process rule: Not supported".',
    },
    {
      name: "the other variant alone",
      backend: "iptables-legacy",
      answers: { [NFT]: MISSING, "ebtables -V": EBTABLES_NFT },
      problem: "There is no bridge guard: nft is not installed, and there is no ebtables of this kind.",
    },
    {
      name: "a kernel without ebtables-legacy",
      backend: "iptables-legacy",
      answers: {
        [NFT]: MISSING,
        "ebtables -V": EBTABLES_LEGACY,
        "ebtables -t nat -L": { exitCode: 255, stderr: "The kernel doesn't support the ebtables 'nat' table.\n" },
      },
      problem:
        "There is no bridge guard: nft is not installed, and ebtables says \"The kernel doesn't support the ebtables 'nat' table.\".",
    },
  ])("cannot be had, and why is said: $name", async ({ backend, answers, problem }) => {
    const help = 'Install the package "nftables" (0.9.4 or later, on a kernel with bridge support in nftables).';
    expect(await probeBridgeGuard(scriptedRun(answers).run, backend)).toEqual({ problem: `${problem} ${help}` });
  });
});
