import { describe, expect, test } from "vitest";
import { askedWhenTold, askForRelease, type ReleaseMark, releaseMark } from "../../src/rules/release-mark.ts";
import type { RunCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { flush } from "../support/identity.ts";
import { scriptedRun } from "./scripted-run.ts";

const SAVE = "iptables-legacy-save";
const RESTORE = "iptables-legacy-restore --noflush -w 3";
const STANDING = { stdout: "*mangle\n:PREROUTING ACCEPT [0:0]\n:IMDSGATE_RELEASED - [0:0]\nCOMMIT\n" };
/** Our rules without the mark. */
const OURS = { stdout: "*mangle\n:FORWARD ACCEPT [0:0]\n:IMDSGATE-FWD - [0:0]\n-A IMDSGATE-FWD -j DROP\nCOMMIT\n" };
const BUSY = { exitCode: 4, stderr: "iptables-restore: line 2 failed\n" };

describe("a mark in nftables", () => {
  test("is an empty table of its own; taking it out is harmless where it does not stand", async () => {
    const { run, calls } = scriptedRun({ "nft -f -": {} });
    const mark = releaseMark(run, "nftables", "nft");
    await mark.put();
    await mark.takeOut();
    expect(calls).toEqual([
      "nft -f -\nadd table inet imdsgate-released\n",
      "nft -f -\nadd table inet imdsgate-released\ndelete table inet imdsgate-released\n",
    ]);
  });

  test.for([
    { what: "its table, beside ours", tables: "table inet imdsgate\ntable inet imdsgate-released\n", stands: true },
    { what: "our tables alone", tables: "table inet imdsgate\ntable inet imdsgate-closed\n", stands: false },
    { what: "a table of another family", tables: "table ip imdsgate-released\n", stands: false },
    { what: "a table with a longer name", tables: "table inet imdsgate-released-not\n", stands: false },
    { what: "nothing", tables: "", stands: false },
  ])("stands where there is $what: $stands", async ({ tables, stands }) => {
    const { run } = scriptedRun({ "nft list tables": { stdout: tables } });
    expect(await releaseMark(run, "nftables", "nft").stands()).toBe(stands);
  });
});

describe("a mark in iptables", () => {
  test("is an empty chain in mangle, by the program that the host has", async () => {
    const { run, calls } = scriptedRun({ [SAVE]: STANDING, [RESTORE]: {} });
    const mark = releaseMark(run, "iptables-legacy", "iptables-legacy");
    await mark.put();
    await mark.takeOut();
    expect(calls).toEqual([
      `${RESTORE}\n*mangle\n:IMDSGATE_RELEASED - [0:0]\nCOMMIT\n`,
      SAVE,
      `${RESTORE}\n*mangle\n-X IMDSGATE_RELEASED\nCOMMIT\n`,
    ]);
  });

  test("does not stand where our rules alone do, and nothing is changed to take it out then", async () => {
    const { run, calls } = scriptedRun({ [SAVE]: OURS });
    const mark = releaseMark(run, "iptables-legacy", "iptables-legacy");
    expect(await mark.stands()).toBe(false);
    await mark.takeOut();
    expect(calls).toEqual([SAVE, SAVE]);
  });

  test("may be taken out by the other side at the same moment", async () => {
    let isThere = true;
    const run: RunCommand = (program, args, input) => {
      const { run: answer } = scriptedRun({ [SAVE]: isThere ? STANDING : OURS, [RESTORE]: BUSY });
      if (program === "iptables-legacy-restore") isThere = false;
      return answer(program, args, input);
    };
    await releaseMark(run, "iptables-legacy", "iptables-legacy").takeOut();
    expect(isThere).toBe(false);
  });

  test("that stands on is a failure", async () => {
    const { run } = scriptedRun({ [SAVE]: STANDING, [RESTORE]: BUSY });
    await expect(releaseMark(run, "iptables-legacy", "iptables-legacy").takeOut()).rejects.toMatchObject({ code: "RULES_FAILED" });
  });
});

test.for(["nftables", "iptables-legacy"] as const)("a mark of a tool that is not here is a failure: %s", async (backend) => {
  const mark = releaseMark(scriptedRun({}).run, backend, backend === "nftables" ? "nft" : backend);
  for (const act of [mark.put, mark.stands]) await expect(act()).rejects.toMatchObject({ code: "RULES_TOOL_MISSING" });
});

const MOST_LOOKS = 100;

/** A mark in a kernel of its own, which a gateway may answer. */
function fakeMark() {
  const kernel = { isThere: false, looks: 0, isBroken: false };
  const mark: ReleaseMark = {
    async put() {
      if (kernel.isBroken) throw new Error("nft: no");
      kernel.isThere = true;
    },
    async stands() {
      kernel.looks += 1;
      if (kernel.looks > MOST_LOOKS) throw new Error("it is looked at again and again without a pause");
      return kernel.isThere;
    },
    async takeOut() {
      kernel.isThere = false;
    },
  };
  return { mark, kernel };
}

/** A question by two marks, and time that passes a tenth of a second at a time. */
function ask() {
  const clock = handMovedClock();
  const ending = new AbortController();
  const [one, other] = [fakeMark(), fakeMark()];
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await flush();
      clock.advance(100);
    }
    await flush();
  }
  const begin = () => askForRelease([one.mark, other.mark], clock, ending.signal);
  return { clock, ending, one: one.kernel, other: other.kernel, pass, begin };
}

test("a gateway asks for the mark only when something was told, and until it has an answer of no", async () => {
  const answers: (() => Promise<boolean>)[] = [];
  const mark = { stands: () => answers.shift()?.() ?? Promise.reject(new Error("asked once too often")) };
  let tell = () => {};
  const watch = (onChange: () => void) => {
    tell = onChange;
    return Promise.resolve();
  };
  let told = 0;
  const { isReleaseAsked, watch: heard } = askedWhenTold(mark, watch);
  await heard(() => {
    told += 1;
  }, new AbortController().signal);
  const [no, yes, fails] = [async () => false, async () => true, () => Promise.reject(new Error("nft: no"))];

  answers.push(no);
  expect([await isReleaseAsked(), await isReleaseAsked(), answers.length]).toEqual([false, false, 0]);
  tell();
  answers.push(fails, yes, yes, no);
  await expect(isReleaseAsked()).rejects.toThrow("nft: no");
  expect([await isReleaseAsked(), await isReleaseAsked(), await isReleaseAsked(), await isReleaseAsked()]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect([answers.length, told]).toEqual([0, 1]);
  // What is told while the question is under way may be newer than the answer.
  tell();
  answers.push(async () => {
    tell();
    return false;
  }, no);
  expect([await isReleaseAsked(), await isReleaseAsked(), answers.length]).toEqual([false, false, 0]);
});

describe("a gateway that is asked to let go", () => {
  test("of any of the backends answers by taking that mark out, and no other mark stays", async () => {
    const { one, other, pass, begin } = ask();
    const asked = begin();
    await pass(1_000);
    expect([one.isThere, other.isThere]).toEqual([true, true]);
    other.isThere = false;
    await pass(100);
    expect([await asked, one.isThere]).toEqual([true, false]);
  });

  test("and does not answer is waited for until 3 s are over, and no mark stays", async () => {
    const { one, other, pass, begin } = ask();
    let answer: boolean | undefined;
    const asked = begin().then((given) => {
      answer = given;
    });
    await pass(2_900);
    expect([answer, one.isThere, other.isThere]).toEqual([undefined, true, true]);
    await pass(100);
    await asked;
    expect([answer, one.isThere, other.isThere, one.looks]).toEqual([false, false, false, 30]);
  });

  test("is not waited for any longer by a command that ends, and no mark stays", async () => {
    const { ending, one, other, begin, clock } = ask();
    const asked = begin();
    await flush();
    ending.abort();
    expect([await asked, one.isThere, other.isThere, clock.untilNext()]).toEqual([false, false, false, undefined]);
  });

  test("is not waited for as long as a clock was set back", async () => {
    const { clock, one, pass, begin } = ask();
    const asked = begin();
    await pass(1_000);
    clock.leap(-3_600_000);
    await pass(100);
    expect([await asked, one.isThere]).toEqual([false, false]);
  });

  test("is not asked where a mark cannot be put, and no other mark stays", async () => {
    const { one, other, begin } = ask();
    other.isBroken = true;
    await expect(begin()).rejects.toThrow("nft: no");
    expect(one.isThere).toBe(false);
  });
});
