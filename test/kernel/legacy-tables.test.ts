import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startHostNamespace } from "./namespace.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");
const COMMANDS = [["apply", "--all"], ["show"], ["check"], ["diff"], ["remove"], ["remove", "--stop-keeper"]];

test.for(["nftables", "iptables"])("no command makes a table of iptables-legacy, for good, where the rules are by %s", async (backend) => {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const legacyTables = async () => (await host.sh("cat", ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"])).split("\n").sort();
  const before = await legacyTables();
  for (const words of COMMANDS) await host.sh(process.execPath, [CLI, "rules", ...words, "--rules", backend]);
  expect(await legacyTables()).toEqual(before);
  // else it could not be seen
  await host.sh("iptables-legacy-save", ["-t", "mangle"]);
  expect(await legacyTables()).toContain("mangle");
});
