import { expect, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createFailureTeller } from "../../src/rules/failure-teller.ts";

function startTeller() {
  const events: ImdsgateEvent[] = [];
  return { teller: createFailureTeller("guard (nft)", (event) => void events.push(event)), events };
}

const unkept = (message: string) => ({ kind: "rules-unkept", backend: "guard (nft)", message });

test("a failure is told once, however often it comes, and another one anew", () => {
  const { teller, events } = startTeller();
  for (const message of ["nft: no", "nft: no", "nft: busy", "nft: no"]) teller.tell(new Error(message));
  expect(events).toEqual([unkept("nft: no"), unkept("nft: busy"), unkept("nft: no")]);
});

test("the same failure is told again once it was over in between", () => {
  const { teller, events } = startTeller();
  teller.isOver();
  teller.tell(new Error("nft: no"));
  teller.isOver();
  teller.tell(new Error("nft: no"));
  expect(events).toEqual([unkept("nft: no"), unkept("nft: no")]);
});

test.for([
  { thrown: "a text", message: "a text" },
  { thrown: undefined, message: "undefined" },
])("what is thrown and is no Error is told as text: $thrown", ({ thrown, message }) => {
  const { teller, events } = startTeller();
  teller.tell(thrown);
  expect(events).toEqual([unkept(message)]);
});
