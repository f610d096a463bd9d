import { expect, test } from "vitest";
import { createRules } from "../../src/rules/rules.ts";
import { scriptedRun } from "./scripted-run.ts";

test.for(["br 1", 'x"; flush ruleset', "-i", "", "a-name-longer-than-15", "br*x", "eth+"])(
  "an interface name that a tool could read otherwise is refused: %s",
  async (name) => {
    await expect(createRules(scriptedRun({}).run, "auto", [name])).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  },
);
