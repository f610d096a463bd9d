import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { INSTANCE_KEYS, type InstanceWishes, readInstance } from "../../src/dev/instance.ts";
import { factsOf, SIM_INSTANCE } from "../../src/sim/instance-facts.ts";
import { pageAt } from "../docs/pages.ts";

const NOTHING: InstanceWishes = { file: undefined, instanceId: undefined, account: undefined, region: undefined };

/** What is read of a file with this text. */
function readText(text: string, wishes: Partial<InstanceWishes> = {}) {
  using folder = mkdtempDisposableSync(join(tmpdir(), "imdsgate-instance-"));
  const file = join(folder.path, "instance.yaml");
  writeFileSync(file, text);
  return readInstance({ ...NOTHING, ...wishes, file });
}

test("without a word it is the instance of the demonstration", () => expect(readInstance(NOTHING)).toEqual(SIM_INSTANCE));

test("the zone follows the Region, unless the file says it", () => {
  expect(readInstance({ ...NOTHING, region: "us-east-1" }).availabilityZone).toBe("us-east-1a");
  expect(readText("availabilityZone: us-east-1c", { region: "us-east-1" }).availabilityZone).toBe("us-east-1c");
});

test("the example of docs/dev.md is read as it stands there, and has every key", () => {
  const [, example = ""] = /```yaml\n(# instance\.yaml[\s\S]*?)```/.exec(pageAt("docs/dev.md").text) ?? [];
  const read = readText(example);
  expect(INSTANCE_KEYS.filter((key) => !example.includes(`\n${key}:`))).toEqual([]);
  expect(Object.entries(read).filter(([key, value]) => key !== "tags" && value === Reflect.get(SIM_INSTANCE, key))).toEqual([]);
  const { paths } = factsOf(read);
  expect(paths["/<v>/meta-data/tags/instance/"]).toBe("Name\nteam");
  expect(paths["/<v>/meta-data/tags/instance/team"]).toBe("payments");
  expect(paths["/<v>/user-data"]).toBe("#!/bin/sh\necho hello\n");
  expect(JSON.parse(paths["/<v>/dynamic/instance-identity/document"] ?? "")).toMatchObject({
    accountId: "012345678901",
    region: "eu-west-1",
  });
});

test("flags win over the file", () => {
  const wishes = { instanceId: "i-1", account: "999999999999", region: "eu-west-3" };
  expect(readText("instanceId: i-2\naccount: 111111111111\nregion: eu-west-1", wishes)).toMatchObject(wishes);
});

test("an instance without tags lists none", () => {
  expect(Object.keys(factsOf(readText("tags: {}")).paths).filter((path) => path.includes("tags"))).toEqual([]);
});

test.for([
  { text: "instanceID: i-1", says: /line 1: unknown key "instanceID"; allowed: account, region/ },
  { text: "region: eu-west-1\ninstanceId: web", says: /line 2, instanceId: "web" is no instance id/ },
  { text: "privateIp: fd00::1", says: /line 1, privateIp: "fd00::1" is no address/ },
  { text: "tags: { 'a/b': c }", says: /line 1, tags: "a\/b" is no tag's key/ },
  { text: "tags: [a]", says: /line 1, tags: tags are a map/ },
  { text: "mac: [a]", says: /line 1, mac: \["a"\] stands where a text belongs/ },
])("$text is refused, with its line", ({ text, says }) => {
  expect(() => readText(text)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(says) }));
});

test("a file that is not there is told by the flag that named it", () => {
  expect(() => readInstance({ ...NOTHING, file: "/nonexistent.yaml" })).toThrow("--instance /nonexistent.yaml cannot be read");
});
