import { expect, test } from "vitest";
import { createPacedRenewal } from "../../src/identity/paced-renewal.ts";
import { flush } from "../support/identity.ts";

/** Questions that the test answers, and pauses that it ends. */
function scripted() {
  const asked: PromiseWithResolvers<string>[] = [];
  const pauses: PromiseWithResolvers<void>[] = [];
  const renew = createPacedRenewal(
    () => {
      const question = Promise.withResolvers<string>();
      asked.push(question);
      return question.promise;
    },
    () => {
      const pause = Promise.withResolvers<void>();
      pauses.push(pause);
      return pause.promise;
    },
  );
  return { asked, pauses, renew };
}

test("who comes during a question or the pause after it waits for the pause to end, and all share one later question", async () => {
  const { asked, pauses, renew } = scripted();
  const first = renew("a");
  const during = renew("a");
  asked[0]?.resolve("old");
  await flush();
  const after = renew("a");
  await flush();
  expect([asked.length, pauses.length]).toEqual([1, 1]);
  pauses[0]?.resolve();
  await flush();
  asked[1]?.resolve("new");
  expect([await first, await during, await after, asked.length]).toEqual(["old", "new", "new", 2]);
});

test("who comes when the pause is over asks at once, and another key knows no pause", async () => {
  const { asked, pauses, renew } = scripted();
  void renew("a");
  void renew("b");
  asked[0]?.resolve("old");
  await flush();
  pauses[0]?.resolve();
  await flush();
  void renew("a");
  expect(asked.length).toBe(3);
});
