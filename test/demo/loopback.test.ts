import { expect, test } from "vitest";
import { runDemo, withoutChance } from "./demo-program.ts";

test("on loopback the story is told, and nothing is left of it", async () => {
  const { stdout, ...rest } = await runDemo({ args: ["--mode", "loopback"] });
  expect(rest).toEqual({ exitCode: 0, stderr: "", left: [] });
  await expect(withoutChance(stdout)).toMatchFileSnapshot("story-on-loopback.txt");
});

test.for(["itself", "group"] as const)("on loopback an interrupt of %s ends it, and nothing is left", async (whom) => {
  const { exitCode, stderr, left } = await runDemo({ args: ["--mode", "loopback"], interrupt: { at: "imdsgate starts", whom } });
  expect({ exitCode, stderr, left }).toEqual({ exitCode: 130, stderr: "imdsgate demo: interrupted; nothing of it is left\n", left: [] });
});

test("what only the demonstration itself may ask for is refused in the namespaces of the machine", async () => {
  const { exitCode, stderr, left } = await runDemo({ args: ["--came-from", "net:[1]"] });
  expect({ exitCode, stderr, left }).toEqual({
    exitCode: 1,
    stderr: "imdsgate: --came-from is for the demonstration itself; type: imdsgate demo  [DEMO_FAILED]\n",
    left: [],
  });
});
