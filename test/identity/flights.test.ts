import { expect, test } from "vitest";
import { createFlights, eachOf } from "../../src/identity/flights.ts";

function scripted() {
  const asked: PromiseWithResolvers<string>[] = [];
  const flights = createFlights(() => {
    const question = Promise.withResolvers<string>();
    asked.push(question);
    return question.promise;
  });
  return { asked, flights };
}

test("who joins shares the question under way", async () => {
  const { asked, flights } = scripted();
  const answers = Promise.all([flights.join("a"), flights.join("a"), flights.renew("b")]);
  asked[0]?.resolve("first");
  asked[1]?.resolve("other key");
  expect([await answers, asked.length]).toEqual([["first", "first", "other key"], 2]);
});

test("who renews gets the answer to a question asked later, and a thousand share it", async () => {
  const { asked, flights } = scripted();
  const first = flights.renew("a");
  const later = Array.from({ length: 1000 }, () => flights.renew("a"));
  expect(asked.length).toBe(1);
  asked[0]?.resolve("old");
  await first;
  const joined = flights.join("a");
  await Promise.resolve();
  asked[1]?.resolve("new");
  expect([await first, new Set(await Promise.all(later)), await joined, asked.length]).toEqual(["old", new Set(["new"]), "new", 2]);
});

test("who renews between an answer and the question that waits shares that question", async () => {
  const { asked, flights } = scripted();
  const seen: string[] = [];
  void flights.renew("a").then(() => flights.renew("a").then((answer) => seen.push(answer)));
  const waiting = flights.renew("a");
  asked[0]?.resolve("old");
  await new Promise(setImmediate);
  asked[1]?.resolve("new");
  await waiting;
  await new Promise(setImmediate);
  expect([seen, asked.length]).toEqual([["new"], 2]);
});

test("a list is worked off so many at a time", async () => {
  let underWay = 0;
  let most = 0;
  const done: number[] = [];
  await eachOf([1, 2, 3, 4, 5], 2, async (item) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    underWay -= 1;
    done.push(item);
  });
  expect([most, done]).toEqual([2, [1, 2, 3, 4, 5]]);
});
