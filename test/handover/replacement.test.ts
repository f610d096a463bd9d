import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { HandedOver } from "../../src/handover/handed-over.ts";
import { createMessagePipe } from "../../src/handover/message-pipe.ts";
import { createReplacement } from "../../src/handover/replacement.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const HANDED: HandedOver = { leases: [], region: "eu-central-1", account: undefined };
const HELP = "This one goes on as before. Mend that, and then: systemctl restart imdsgate";
const LOADED = '{"say":"loaded"}\n';
const SERVING = '{"say":"serving"}\n';
const GIVEN: ImdsgateEvent = { kind: "handover", step: "given", leases: 0 };

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A gateway that asks for a replacement; the other one is played by whoever writes into `other`. `acts` is what this one did. */
function startReplacement({ obstacle, startFails = false }: { obstacle?: string; startFails?: boolean } = {}) {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const acts: string[] = [];
  const other = new PassThrough();
  const pipe = { ...createMessagePipe(other, clock), say: async (message: object) => void acts.push(`say ${JSON.stringify(message)}`) };
  const stop = new AbortController();
  const replacement = createReplacement(
    {
      obstacle: () => obstacle,
      async start() {
        acts.push("start");
        if (startFails) throw new Error("no such file");
        return { pipe, end: async () => void acts.push("end the other") };
      },
      async giveUp() {
        acts.push("give up");
        return HANDED;
      },
      goOn: () => void acts.push("go on"),
      emit: (event) => void events.push(event),
      clock,
    },
    stop.signal,
  );
  let isDone = false;
  void replacement.isDone.then(() => {
    isDone = true;
  });
  return { clock, events, acts, other, stop, replacement, isDone: () => isDone };
}

const GAVE = ["start", "give up", 'say {"schema":1,"region":"eu-central-1","leases":[]}'];

describe("a gateway that is asked to hand over", () => {
  test("gives up what only one may do when the other has loaded itself, and is done when that serves", async () => {
    const { acts, events, other, replacement, isDone } = startReplacement();
    replacement.ask();
    await settled();
    expect(acts).toEqual(["start"]);
    other.write(LOADED);
    await settled();
    expect({ acts, isDone: isDone() }).toEqual({ acts: GAVE, isDone: false });
    other.write(SERVING);
    await replacement.settled();
    await settled();
    expect({ acts, events, isDone: isDone() }).toEqual({ acts: GAVE, events: [GIVEN], isDone: true });
  });

  test.for([
    {
      name: "ends",
      act: (other: PassThrough) => other.end(),
      problem: "the next gateway ended before it served; what it said stands above in this log",
    },
    {
      name: "says something else",
      act: (other: PassThrough) => other.write("{}\n"),
      problem: "the next gateway said something else than expected",
    },
    {
      name: "says nothing that can be read",
      act: (other: PassThrough) => other.write("?\n"),
      problem: "what the next gateway said cannot be read",
    },
  ])("goes on as before when the other $name, before and after it was given what it needs", async ({ act, problem }) => {
    const failed: ImdsgateEvent = { kind: "handover-failed", message: `${problem}. ${HELP}` };
    const early = startReplacement();
    early.replacement.ask();
    act(early.other);
    await early.replacement.settled();
    expect([early.acts, early.events]).toEqual([["start", "end the other"], [failed]]);
    const late = startReplacement();
    late.replacement.ask();
    late.other.write(LOADED);
    await settled();
    act(late.other);
    await late.replacement.settled();
    expect([late.acts, late.events]).toEqual([
      [...GAVE, "end the other", "go on"],
      [GIVEN, failed],
    ]);
    expect([early.isDone(), late.isDone()]).toEqual([false, false]);
  });

  test("ends another that does not serve within 30 s of its start", async () => {
    const { clock, acts, events, other, replacement } = startReplacement();
    replacement.ask();
    await settled();
    clock.advance(10_000);
    other.write(LOADED);
    await settled();
    expect(clock.untilNext()).toBe(20_000);
    clock.advance(20_000);
    await replacement.settled();
    expect(acts).toEqual([...GAVE, "end the other", "go on"]);
    expect(events).toEqual([
      GIVEN,
      { kind: "handover-failed", message: `the next gateway did not serve within 30 s, and was ended. ${HELP}` },
    ]);
  });

  test("tells why another cannot be started", async () => {
    const { acts, events, replacement } = startReplacement({ startFails: true });
    replacement.ask();
    await replacement.settled();
    expect(acts).toEqual(["start"]);
    expect(events).toEqual([{ kind: "handover-failed", message: `the next gateway could not be started: no such file. ${HELP}` }]);
  });

  test("starts none where none can take its place, and tells why", () => {
    const { acts, events, replacement } = startReplacement({ obstacle: "there is no unit" });
    replacement.ask();
    expect([acts, events]).toEqual([[], [{ kind: "handover-failed", message: "there is no unit" }]]);
  });

  test("starts one at a time, and another when that has failed", async () => {
    const { acts, other, replacement } = startReplacement();
    replacement.ask();
    replacement.ask();
    await settled();
    expect(acts).toEqual(["start"]);
    other.end();
    await replacement.settled();
    replacement.ask();
    await replacement.settled();
    expect(acts).toEqual(["start", "end the other", "start", "end the other"]);
  });

  test("and is stopped meanwhile ends the other, tells nothing of it, and starts no more", async () => {
    const { acts, events, stop, replacement } = startReplacement();
    replacement.ask();
    await settled();
    stop.abort();
    await replacement.settled();
    replacement.ask();
    expect([acts, events]).toEqual([["start", "end the other"], []]);
  });
});
