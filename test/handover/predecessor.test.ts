import { expect, test } from "vitest";
import { handoverDocument } from "../../src/handover/handed-over.ts";
import type { Heard, MessagePipe } from "../../src/handover/message-pipe.ts";
import { inheritedFrom, meet } from "../../src/handover/predecessor.ts";

const NOTHING = { leases: [], region: undefined, account: undefined };

/** A pipe on which the gateway that runs says `heard`; what was said to it. */
function pipeThat(heard: Heard) {
  const said: unknown[] = [];
  const pipe: MessagePipe = {
    say: async (message) => void said.push(message),
    hear: async () => heard,
    close: () => {},
    ended: new Promise(() => {}),
  };
  return { pipe, said };
}

test.for([
  { name: "has ended", heard: { kind: "ended" } },
  { name: "says what this one cannot read", heard: { kind: "unreadable" } },
] as const)("it begins without anything where the one before $name", async ({ heard }) => {
  expect(inheritedFrom(await meet(pipeThat(heard).pipe))).toEqual(NOTHING);
});

test("it begins with what the one before hands over, and tells that one at the end that it serves", async () => {
  const { pipe, said } = pipeThat({ kind: "message", message: JSON.parse(JSON.stringify(handoverDocument(NOTHING))) });
  const predecessor = await meet(pipe);
  expect(predecessor.handedOver).toEqual(NOTHING);
  await predecessor.leave();
  expect(said).toEqual([{ say: "loaded" }, { say: "serving" }]);
});

test("it does not begin where the one before lives and says nothing: that one keeps the rules", async () => {
  await expect(meet(pipeThat({ kind: "late" }).pipe)).rejects.toMatchObject({ code: "HANDOVER_FAILED" });
});
