import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { dumpRules } from "./dump.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

interface Check {
  readonly code: string;
  readonly outcome: string;
  readonly detail: string;
}

async function startHost(): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  return host;
}

async function examine(host: Namespace, ...words: string[]) {
  const { exitCode, stdout } = await host.run(process.execPath, [CLI, "doctor", "--json", ...words]);
  const { checks, failed }: { checks: readonly Check[]; failed: number } = JSON.parse(stdout);
  return { exitCode, failed, of: (code: string) => checks.filter((check) => check.code === code) };
}

test("a host with our rules and no runtime is sound; the look changes nothing", async () => {
  const host = await startHost();
  await nftablesBackend(host.run).apply({ parts: "all", gatewayPort: 18170, uplinkInterfaces: [], workloadInterfaces: [] });
  const before = await dumpRules(host);
  const { exitCode, failed, of } = await examine(host, "--runtime", "none");
  expect({ exitCode, failed }).toEqual({ exitCode: 0, failed: 0 });
  expect(of("REDIRECT")).toMatchObject([{ outcome: "ok", detail: "what containers ask of the metadata service goes to port 18170" }]);
  expect(await dumpRules(host)).toBe(before);
});

test("a strict chain and an absent Docker fail, with exit code 1", async () => {
  const host = await startHost();
  await host.sh("nft", ["-f", "-"], "table inet strict { chain input { type filter hook input priority 0; policy drop; }; }\n");
  const { exitCode, failed, of } = await examine(host, "--docker-socket", "/run/nobody.sock");
  expect({ exitCode, failed }).toEqual({ exitCode: 1, failed: 2 });
  expect(of("FOREIGN_RULES").map(({ outcome }) => outcome)).toEqual(["fail"]);
  expect(of("RUNTIME").map(({ outcome }) => outcome)).toEqual(["fail"]);
});

test("people read one check a line, and what helps below it", async () => {
  const host = await startHost();
  const { stdout } = await host.run(process.execPath, [CLI, "doctor", "--runtime", "none"]);
  expect(stdout).toMatch(/^ok {4}NODE {12}\d+\.\d+\.\d+$/m);
  expect(stdout).toMatch(/^warn {2}REDIRECT {8}no redirect of imdsgate stands: .*\n {6}fix {2}sudo imdsgate run …/m);
  expect(stdout).toMatch(/^0 failed, [12] to look at\n$/m);
});

test("a setting that can not be is bad usage", async () => {
  const host = await startHost();
  const { exitCode, stderr } = await host.run(process.execPath, [CLI, "doctor", "--runtime", "lxc"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('"lxc" is no choice');
});
