import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { iptablesBackend } from "../../src/rules/iptables.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { dumpRules } from "./dump.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";

const ALL: RuleSet = { parts: "all", gatewayPort: 18169, uplinkInterfaces: [], workloadInterfaces: [] };

async function startHost(): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  return host;
}

/** The host's programs, but for one `name` that a shell script stands for. */
async function withScript(host: Namespace, name: string, script: string): Promise<RunCommand> {
  const directory = await mkdtemp(join(tmpdir(), "imdsgate-tools-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, name), 0o755);
  return (program, args, input) => host.run(program === name ? join(directory, name) : program, args, input);
}

describe("a tool that is not as it should be", () => {
  test("warns and does its work: the rules are in", async () => {
    const host = await startHost();
    const run = await withScript(
      host,
      "nft",
      'echo "# Warning: table ip nat is managed by iptables-nft, do not touch!" >&2; exec /usr/sbin/nft "$@"',
    );
    await nftablesBackend(run).apply(ALL);
    expect(await nftablesBackend(host.run).redirectPort()).toBe(18169);
  });

  test("hangs: it is stopped, told, and the host is as before", async () => {
    const host = await startHost();
    const before = await dumpRules(host);
    const run = await withScript(host, "nft", "exec sleep 60");
    await expect(nftablesBackend(run).apply(ALL)).rejects.toMatchObject({
      code: "RULES_FAILED",
      message: expect.stringContaining("was stopped after 5 s"),
    });
    expect(await dumpRules(host)).toBe(before);
  }, 20_000);

  test("speaks English in every locale, so that its words are understood", async () => {
    const host = await startHost();
    const run = await withScript(host, "nft", 'echo "LC_ALL is $LC_ALL" >&2; exit 1');
    await expect(nftablesBackend(run).apply(ALL)).rejects.toMatchObject({ message: expect.stringContaining('"LC_ALL is C"') });
  });

  test("waits for a lock that somebody holds: told with how to find him, and the host is as before", async () => {
    const host = await startHost();
    const before = await dumpRules(host);
    const held = host.run("flock", ["/run/xtables.lock", "sh", "-c", "touch /run/held; sleep 4.5"]);
    await host.sh("sh", ["-c", "for _ in $(seq 200); do [ -e /run/held ] && exit 0; sleep 0.02; done; exit 1"]);
    await expect(iptablesBackend(host.run, "legacy").apply(ALL)).rejects.toMatchObject({
      code: "RULES_FAILED",
      message: expect.stringContaining('See which: "fuser -v /run/xtables.lock"'),
    });
    await held;
    expect(await dumpRules(host)).toBe(before);
  }, 20_000);

  test("may not touch the rules: told, and the host is as before", async () => {
    const host = await startHost();
    const before = await dumpRules(host);
    const run: RunCommand = (program, args, input) =>
      host.run("setpriv", ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin", program, ...args], input);
    await expect(nftablesBackend(run).apply(ALL)).rejects.toMatchObject({ code: "RULES_NOT_PERMITTED" });
    expect(await dumpRules(host)).toBe(before);
  });
});
