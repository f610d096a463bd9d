import { readFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { generateRulesDoc } from "../../scripts/generate-rules-doc.ts";
import type { BackendName } from "../../src/rules/backend.ts";
import { removeAllRules } from "../../src/rules/rules.ts";
import { startHostNamespace } from "./namespace.ts";

const readPage = () => readFile(new URL("../../docs/rules.md", import.meta.url), "utf8");

test("docs/rules.md shows the rules that are loaded (npm run docs writes it anew)", async () => {
  expect(await readPage()).toBe(generateRulesDoc());
});

test.for<{ name: BackendName; loaders: readonly (readonly [block: number, program: string, ...args: string[]])[] }>([
  { name: "nftables", loaders: [[0, "nft", "-f", "-"]] },
  ...(["nft", "legacy"] as const).map((variant) => ({
    name: `iptables-${variant}` as const,
    loaders: [[1, `iptables-${variant}-restore`, "--noflush"] as const, [2, `ip6tables-${variant}-restore`, "--noflush"] as const],
  })),
])("what docs/rules.md shows loads here as it stands, and is known for ours: $name", async ({ name, loaders }) => {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const blocks = [...(await readPage()).matchAll(/^```\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  expect(blocks.length).toBe(3);
  for (const [block, program, ...args] of loaders) await host.sh(program, args, blocks[block]);
  expect(await removeAllRules(host.run)).toEqual([name]);
});
