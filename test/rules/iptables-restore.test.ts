import { expect, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { restoreOnto } from "../../src/rules/iptables-restore.ts";

const NONE = "# saved\n*nat\n:PREROUTING ACCEPT [1:60]\nCOMMIT\n";
const OURS = "*nat\n:PREROUTING ACCEPT [7:420]\n:IMDSGATE-PRE - [0:0]\n-A PREROUTING -j IMDSGATE-PRE\nCOMMIT\n";
const FAILED = new ImdsgateError("RULES_FAILED", "Bad rule");
const DENIED = new ImdsgateError("RULES_NOT_PERMITTED", "no");

/** Dumps as they are saved one after the other, and how each load ends. */
async function restored(dumps: readonly string[], outcomes: readonly (Error | undefined)[]) {
  const [saves, ends] = [[...dumps], [...outcomes]];
  const loaded: string[] = [];
  const tools = {
    save: async () => saves.shift() ?? "",
    async restore(script: string) {
      loaded.push(script);
      const end = ends.shift();
      if (end) throw end;
    },
  };
  const failure = await restoreOnto(tools, async (present) => present.jumps("nat").join() || "nothing of ours").catch(
    (error: unknown) => error,
  );
  return { loaded, failure };
}

test("what fits what is there goes in once", async () => {
  expect(await restored([OURS], [undefined])).toEqual({ loaded: ["PREROUTING -j IMDSGATE-PRE"], failure: undefined });
});

test("what somebody changed in between is read again, and what fits it then goes in", async () => {
  expect(await restored([OURS, NONE, NONE], [FAILED, undefined])).toEqual({
    loaded: ["PREROUTING -j IMDSGATE-PRE", "nothing of ours"],
    failure: undefined,
  });
});

test.for([
  { title: "where nothing has changed but counters", dumps: [NONE, NONE.replace("[1:60]", "[2:120]")], outcomes: [FAILED], loads: 1 },
  { title: "where it is not permitted", dumps: [OURS, NONE], outcomes: [DENIED], loads: 1 },
  {
    title: "where somebody changes it each time",
    dumps: [OURS, NONE, NONE, OURS, OURS, NONE],
    outcomes: [FAILED, FAILED, FAILED],
    loads: 3,
  },
])("a failure is one $title", async ({ dumps, outcomes, loads }) => {
  const { loaded, failure } = await restored(dumps, outcomes);
  expect([loaded.length, failure]).toEqual([loads, outcomes[0]]);
});
