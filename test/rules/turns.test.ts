import { expect, test } from "vitest";
import { createTurns } from "../../src/rules/turns.ts";
import { flush } from "../support/identity.ts";

test("acts run one after the other, in the order in which they came, and each caller has what his own gave", async () => {
  const inTurn = createTurns();
  const first = Promise.withResolvers<string>();
  const begun: string[] = [];
  const act = (name: string, given: Promise<string> | string) =>
    inTurn(async () => {
      begun.push(name);
      return given;
    });
  const all = Promise.all([act("first", first.promise), act("second", "2"), act("third", "3")]);
  await flush();
  expect(begun).toEqual(["first"]);
  first.resolve("1");
  expect(await all).toEqual(["1", "2", "3"]);
  expect(begun).toEqual(["first", "second", "third"]);
});

test.for([
  { how: "rejects", act: () => Promise.reject(new Error("no")) },
  {
    how: "throws",
    act: (): Promise<never> => {
      throw new Error("no");
    },
  },
])("an act that $how is the affair of its caller, and the next one runs", async ({ act }) => {
  const inTurn = createTurns();
  const [failed, next] = await Promise.allSettled([inTurn(act), inTurn(async () => "next")]);
  expect([failed, next]).toEqual([
    { status: "rejected", reason: new Error("no") },
    { status: "fulfilled", value: "next" },
  ]);
});

test("two queues do not wait for each other", async () => {
  const never = new Promise<never>(() => {});
  void createTurns()(() => never);
  expect(await createTurns()(async () => "done")).toBe("done");
});
