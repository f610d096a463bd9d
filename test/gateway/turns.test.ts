import { describe, expect, test } from "vitest";
import { createTurns, type Line, lineAfterTurn } from "../../src/gateway/turns.ts";

interface Asked {
  readonly name: string;
  readonly budget: string;
  readonly isGone: () => boolean;
}

const asked = (name: string, isGone = false): Asked => ({ name, budget: name.replace(/\d+$/, ""), isGone: () => isGone });

function turnEnd(line: Line<Asked>, hasAccepted = false) {
  const { going, line: left } = lineAfterTurn(line, hasAccepted);
  return { going: going.map(({ name }) => name), left: left.waiting.map(({ name }) => name), postponed: left.postponed };
}

const greedyAndQuiet = ["greedy1", "greedy2", "greedy3", "greedy4", "quiet1"].map((name) => asked(name));

describe("the line at the end of a turn", () => {
  test("lets two of each go on, in order of arrival; one's third does not keep another waiting (R4)", () => {
    expect(turnEnd({ waiting: greedyAndQuiet, postponed: 0 })).toEqual({
      going: ["greedy1", "greedy2", "quiet1"],
      left: ["greedy3", "greedy4"],
      postponed: 0,
    });
  });

  test("lets nobody go on while connections are accepted, 16 turns long", () => {
    let line: Line<Asked> = { waiting: greedyAndQuiet, postponed: 0 };
    for (let turn = 1; turn <= 16; turn += 1) {
      const { going, line: left } = lineAfterTurn(line, true);
      expect([going, left]).toEqual([[], { waiting: greedyAndQuiet, postponed: turn }]);
      line = left;
    }
    expect(turnEnd(line, true)).toEqual({ going: ["greedy1", "greedy2", "quiet1"], left: ["greedy3", "greedy4"], postponed: 0 });
  });

  test("begins the 16 anew as soon as somebody could go on", () => {
    expect(turnEnd({ waiting: [asked("a1")], postponed: 3 })).toEqual({ going: ["a1"], left: [], postponed: 0 });
    expect(turnEnd({ waiting: [], postponed: 0 }, true)).toEqual({ going: [], left: [], postponed: 0 });
  });

  test("is left by all whose client is gone, and they take nobody's share", () => {
    const waiting = [asked("a1", true), asked("a2", true), asked("a3"), asked("a4"), asked("a5"), asked("a6", true)];
    expect(turnEnd({ waiting, postponed: 0 })).toEqual({ going: ["a1", "a2", "a3", "a4", "a6"], left: ["a5"], postponed: 0 });
  });

  test("loses nobody and doubles nobody, whatever comes and whatever is accepted", () => {
    const names = Array.from({ length: 200 }, (_, k) => `${"abcde"[k % 5]}${k}`);
    const served: string[] = [];
    let line: Line<Asked> = { waiting: [], postponed: 0 };
    for (let turn = 0; turn < 1_000; turn += 1) {
      const arrived = names.slice(turn * 3, turn * 3 + 3).map((name) => asked(name));
      const { going, line: left } = lineAfterTurn({ ...line, waiting: [...line.waiting, ...arrived] }, turn % 3 > 0);
      served.push(...going.map(({ name }) => name));
      line = left;
    }
    expect(line.waiting).toEqual([]);
    expect(served.toSorted()).toEqual(names.toSorted());
  });
});

/** Turns of an event loop that the test ends itself. */
function handTurned() {
  let ends: (() => void)[] = [];
  const turns = createTurns((act) => void ends.push(act));
  const served: string[] = [];
  return {
    turns,
    served,
    ask: (name: string, isGone = () => false) => void turns.turnOf(name.replace(/\d+$/, ""), isGone).then(() => served.push(name)),
    async endTurn() {
      const due = ends;
      ends = [];
      for (const act of due) act();
      for (let k = 0; k < 5; k += 1) await Promise.resolve();
    },
    awaited: () => ends.length,
  };
}

describe("the turns of a gateway", () => {
  test("serve at the end of the turn in which a request was read, when nobody else wants something", async () => {
    const { ask, served, endTurn, awaited } = handTurned();
    ask("a1");
    expect([served, awaited()]).toEqual([[], 1]);
    await endTurn();
    expect([served, awaited()]).toEqual([["a1"], 0]);
  });

  test("go on by themselves until nobody waits, and wait for one end at a time", async () => {
    const { turns, ask, served, endTurn, awaited } = handTurned();
    for (const name of ["a1", "a2", "a3", "a4", "a5", "b1"]) ask(name);
    turns.noteAccepted();
    await endTurn();
    expect([served, awaited()]).toEqual([[], 1]);
    await endTurn();
    expect([served, awaited()]).toEqual([["a1", "a2", "b1"], 1]);
    await endTurn();
    await endTurn();
    expect([served, awaited()]).toEqual([["a1", "a2", "b1", "a3", "a4", "a5"], 0]);
  });

  test("let a request go whose client left while it waited, out of turn", async () => {
    const { ask, served, endTurn } = handTurned();
    let isGone = false;
    for (const name of ["a1", "a2", "a3"]) ask(name);
    ask("a4", () => isGone);
    isGone = true;
    await endTurn();
    expect(served).toEqual(["a1", "a2", "a4"]);
  });
});
