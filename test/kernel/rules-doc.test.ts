import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BRIDGE_GUARD, CGROUPS, generateRulesDoc, HOST_NETWORK, RULE_SET } from "../../scripts/generate-rules-doc.ts";
import { scenariosTable } from "../../scripts/lib/scenarios-table.ts";
import type { BackendName } from "../../src/rules/backend.ts";
import { nftBridgeGuardTool } from "../../src/rules/nft-bridge-guard.ts";
import { differenceLine } from "../../src/rules/rule-differences.ts";
import { removeAllRules } from "../../src/rules/rules.ts";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";
import { type Scenario, TOOLS } from "./scenario.ts";

const readPage = () => readFile(new URL("../../docs/rules.md", import.meta.url), "utf8");
const IPTABLES = (["nft", "legacy"] as const).map((variant) => ({ variant, name: `iptables-${variant}` as const }));
type Loaders = readonly (readonly [block: number, program: string, ...args: string[]])[];

/** The rules on the page, in the order in which they stand there. */
async function blocksOfPage(): Promise<readonly string[]> {
  const blocks = [...(await readPage()).matchAll(/^```\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  expect(blocks.length).toBe(7);
  return blocks;
}

async function startHost(): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  return host;
}

function backendOf(host: Namespace, name: BackendName) {
  const backend = TOOLS.find((tool) => tool.name === name)?.make(host.run);
  if (backend === undefined) throw new Error(`there is no ${name}`);
  return backend;
}

test("docs/rules.md shows the rules that are loaded, and the scenarios that are tried (npm run docs writes it anew)", async () => {
  expect(await readPage()).toBe(generateRulesDoc());
});

test.for<{ name: BackendName; loaders: Loaders }>([
  { name: "nftables", loaders: [[0, "nft", "-f", "-"]] },
  ...IPTABLES.map(({ name, variant }) => ({
    name,
    loaders: [[1, `iptables-${variant}-restore`, "--noflush"] as const, [2, `ip6tables-${variant}-restore`, "--noflush"] as const],
  })),
])("what docs/rules.md shows loads here as it stands, is what apply wants, and is known for ours: $name", async ({ name, loaders }) => {
  const host = await startHost();
  const blocks = await blocksOfPage();
  for (const [block, program, ...args] of loaders) await host.sh(program, args, blocks[block]);
  expect((await backendOf(host, name).differences(RULE_SET)).map(differenceLine)).toEqual([]);
  expect(await removeAllRules(host.run)).toEqual([name]);
});

test
  .skipIf(process.getuid?.() !== 0)
  .for<{ name: BackendName; loaders: Loaders }>([
    { name: "nftables", loaders: [[3, "nft", "-f", "-"]] },
    ...IPTABLES.map(({ name, variant }) => ({ name, loaders: [[4, `iptables-${variant}-restore`, "--noflush"] as const] })),
  ])("so are the output chains, for cgroups that are there (needs root, to make some): $name", async ({ name, loaders }) => {
  const host = await startHost();
  const folder = await makeCgroup(`page-${name}`);
  onTestFinished(() => removeCgroup(folder));
  mkdirSync(join(folder, "gateway"));
  const here = (text: string) =>
    text.replace(/"docker/g, `"${relative("/sys/fs/cgroup", folder)}`).replace(/ docker/g, ` ${basename(folder)}`);
  const rename = (paths: readonly string[]) => paths.map((path) => path.replace("docker", basename(folder)));
  const hostNetwork = { caught: rename(HOST_NETWORK.caught), exempt: rename(HOST_NETWORK.exempt) };

  await backendOf(host, name).apply(RULE_SET);
  const blocks = await blocksOfPage();
  for (const [block, program, ...args] of loaders) await host.sh(program, args, here(blocks[block] ?? ""));
  const differences = await backendOf(host, name).differences({ ...RULE_SET, hostNetwork });
  // Of iptables the page shows the chains of IPv4 alone.
  expect(differences.filter(({ chain }) => !chain.startsWith("ip6 ")).map(differenceLine)).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)("so is the cgroup guard (needs root, to make cgroups)", async () => {
  const host = await startHost();
  const folder = await makeCgroup("page-guard");
  onTestFinished(() => removeCgroup(folder));
  const paths = [...CGROUPS.known, CGROUPS.ownContainer ?? ""];
  for (const path of paths) mkdirSync(join(folder, path), { recursive: true });
  const block = (await blocksOfPage())[5] ?? "";
  await host.sh("nft", ["-f", "-"], block.replace(/"(?=[a-z])/g, `"${relative("/sys/fs/cgroup", folder)}/`));
  const listed = await host.sh("nft", ["list", "table", "inet", "imdsgate-cgroups"]);
  for (const path of paths) expect(listed).toContain(`${basename(folder)}/${path}"`);
  expect(await removeAllRules(host.run)).toEqual(["cgroup guard by nft"]);
});

test("so is the bridge guard", async () => {
  const host = await startHost();
  await host.sh("nft", ["-f", "-"], (await blocksOfPage())[6]);
  const guard = nftBridgeGuardTool(host.run);
  expect((await guard.standing()).chains).toEqual(guard.wanted(BRIDGE_GUARD));
  expect(await removeAllRules(host.run)).toEqual(["bridge guard by nft"]);
});

test("the table says of each answer who gave it, and of none what nobody said", () => {
  const scenario: Scenario = {
    name: "somebody",
    questions: [],
    needsRoot: true,
    without: ["decoy saw 192.0.2.1 on 169.254.169.254", "silence", "decoy-other saw 192.0.2.1 on 169.254.169.254"],
    wanted: {
      nftables: ["gateway saw 192.0.2.1 on 192.0.2.2", "gateway6 saw 2001:db8::1 on 2001:db8::2"],
      "iptables-nft": ["refused", "no way"],
      "iptables-legacy": ["silence", "silence"],
    },
  };
  expect(scenariosTable([scenario]).split("\n").at(-1)).toBe(
    "| somebody (tried by root alone) | real service (192.0.2.1), nothing | gateway (192.0.2.1, 2001:db8::1) | refused, no route | nothing |",
  );
  expect(() => scenariosTable([{ ...scenario, without: ["the agent ended"] }])).toThrow('no words for the answer "the agent ended"');
});
