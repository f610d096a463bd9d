import { expect, test } from "vitest";
import { endOldFlows } from "../../src/rules/conntrack.ts";
import { MISSING, scriptedRun } from "./scripted-run.ts";

const V4 = "conntrack -D -f ipv4 --orig-dst 169.254.169.254 --reply-src 169.254.169.254";
const V6 = "conntrack -D -f ipv6 --orig-dst fd00:ec2::254 --reply-src fd00:ec2::254";
const NONE = { exitCode: 1, stderr: "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.\n" };

test.for([
  { title: "flows were there", v4: {}, v6: {}, outcome: "ended" },
  { title: "there was none, which conntrack calls a failure", v4: NONE, v6: NONE, outcome: "ended" },
  { title: "there is no such tool", v4: MISSING, v6: MISSING, outcome: "no-conntrack-tool" },
  { title: "the tool was refused", v4: { exitCode: 1, stderr: "Operation failed: sorry" }, v6: NONE, outcome: "not-ended" },
])("old flows: $title", async ({ v4, v6, outcome }) => {
  expect(await endOldFlows(scriptedRun({ [V4]: v4, [V6]: v6 }).run)).toBe(outcome);
});

test("only flows to the IMDS addresses leave conntrack", async () => {
  const { run, calls } = scriptedRun({ [V4]: {}, [V6]: {} });
  await endOldFlows(run);
  expect(calls).toEqual([V4, V6]);
});
