import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { EXAMPLE_FILE, flagsPage } from "../../scripts/lib/flags-page.ts";
import { parseConfig } from "../../src/config/config.ts";
import { keyOf, RUN_FLAGS } from "../../src/config/flags.ts";
import { pageAt } from "./pages.ts";

test("docs/flags.md is what npm run docs writes", () => expect(pageAt("docs/flags.md").text).toBe(flagsPage()));

test("the example file has every key", () => {
  expect(Object.keys(parse(EXAMPLE_FILE)).sort()).toEqual(RUN_FLAGS.map(keyOf).sort());
});

test("the example file is read as it says", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-flags-"));
  const path = join(folder.path, "imdsgate.yaml");
  writeFileSync(path, EXAMPLE_FILE);
  const config = parseConfig({ flags: { config: path }, environment: {} });
  expect(config).toMatchObject({
    account: "111122223333",
    region: "eu-central-1",
    upstream: { host: "169.254.169.254", port: 80 },
    listen: [
      { host: "0.0.0.0", port: 18_169 },
      { host: "::", port: 18_169 },
    ],
    workloads: [{ name: "build-vm", address: "192.168.122.10" }],
    deniedPaths: [["user-data"], ["meta-data", "tags"]],
    interfaces: ["docker0", "br-*"],
    policy: { defaultRole: undefined, durationSeconds: 3600, sessionName: "{workload}-{id}" },
    warnings: [],
  });
  expect(config.policy.bindings.map(({ text, session }) => [text, session.externalId])).toEqual([
    ["name:fluentd=fluentd-role", undefined],
    ["compose:shop/*=web", undefined],
    ["label:team=partner=partner", "partner-7f3a"],
    ["ip:192.168.122.0/24=build", undefined],
  ]);
});
