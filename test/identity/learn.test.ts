import { describe, expect, test } from "vitest";
import { createLearn } from "../../src/identity/learn.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

const never = new AbortController().signal;

/** What is learned of `web`, whose process began at `startTime`, by an imdsgate that began at `ownStart`. */
async function learned(startTime: string, ownStart: string | undefined) {
  const { runtime, processTable, ...fake } = createFakeRuntime();
  const id = fake.run({ name: "web" });
  const learn = createLearn(runtime, { ...processTable, startTime: (pid) => (pid === "self" ? ownStart : startTime) });
  fake.takeCalls();
  const { kind } = await learn(id, undefined, never);
  return { kind, inspections: fake.takeCalls().filter((call) => call.startsWith("inspectContainer")).length };
}

describe("a container is asked about", () => {
  test.for([
    { name: "once where its process was there a second before this one", startTime: "900", ownStart: "1000", inspections: 1 },
    { name: "twice where its process is hardly older", startTime: "901", ownStart: "1000", inspections: 2 },
    { name: "twice where its process is younger", startTime: "1100", ownStart: "1000", inspections: 2 },
    { name: "twice where our own start cannot be read", startTime: "900", ownStart: undefined, inspections: 2 },
  ])("$name", async ({ startTime, ownStart, inspections }) => {
    expect(await learned(startTime, ownStart)).toEqual({ kind: "container", inspections });
  });

  test("and joins whom it joins also where its process is another one at each look", async () => {
    const { runtime, processTable, ...fake } = createFakeRuntime();
    const owner = fake.run({ name: "owner" });
    const id = fake.run({ name: "joiner", networks: [], networkMode: `container:${owner}` });
    const learn = createLearn(runtime, { ...processTable, startTime: () => undefined });
    expect(await learn(id, undefined, never)).toEqual({ kind: "container-idle", id, ownerId: owner });
  });
});
