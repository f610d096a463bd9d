import { expect, test } from "vitest";
import { createPlaced } from "../../src/identity/placed.ts";

test("who joins nobody stays placed, and who joins somebody is not", () => {
  const placed = createPlaced();
  placed.note({ kind: "container-idle", id: "apart", ownerId: undefined });
  placed.note({ kind: "container-gone", id: "gone" });
  placed.note({ kind: "container-gone", id: "back" });
  placed.note({ kind: "container-idle", id: "joiner", ownerId: "apart" });
  placed.note({ kind: "container-idle", id: "back", ownerId: "apart" });
  placed.note({ kind: "container-unprovable", id: "unprovable" });
  expect(["apart", "gone", "back", "joiner", "unprovable"].map(placed.has)).toEqual([true, true, false, false, false]);
});

test("the oldest are forgotten where there are many", () => {
  const placed = createPlaced();
  for (let number = 0; number <= 8192; number += 1) placed.note({ kind: "container-gone", id: `${number}` });
  expect(["0", "1", "8192"].map(placed.has)).toEqual([false, true, true]);
});
