import { describe, expect, test } from "vitest";
import { MINUTE, pass } from "./scripted.ts";
import { startBase } from "./scripted-base.ts";

describe("our own credentials, by an odd clock,", () => {
  test("whose end is further away than a timer reaches are not loaded before they are due, however often the timer comes early", async () => {
    const { base, running, clock, timesAsked, serve } = startBase({ longestTimerMs: 24 * 60 * MINUTE });
    serve(10 * 24 * 60, 1);
    running();
    await base.current();
    await pass(clock, 10 * 24 * 60 * MINUTE - 5 * MINUTE - 1);
    expect(timesAsked()).toBe(1);
    await pass(clock, 1);
    expect(timesAsked()).toBe(2);
  });

  test("are looked for as often when the clock was set back: while the old ones last, and when STS refused them", async () => {
    const { base, clock, serve, timesAsked } = startBase();
    const held = await base.current();
    await pass(clock, 58 * MINUTE);
    await base.current();
    await base.renewed(held);
    expect(timesAsked()).toBe(2);
    clock.leap(-2 * MINUTE);
    await base.current();
    await pass(clock, 0);
    expect(timesAsked()).toBe(3);
    clock.leap(-60 * MINUTE);
    serve(60, 2);
    expect(await base.renewed(held)).toMatchObject({ accessKeyId: "ASIAHOST2" });
  });

  test("that are set back while they are loaded are looked for half a minute later all the same", async () => {
    const { base, clock, running, serve, timesAsked, imds } = startBase();
    serve(4, 1);
    running();
    const prompt = imds.ask;
    imds.ask = async (...question) => {
      imds.ask = prompt;
      clock.leap(-MINUTE);
      return await prompt(...question);
    };
    await base.current();
    await pass(clock, 30_000);
    expect(timesAsked()).toBeGreaterThan(1);
  });

  test("that fail are told once a minute also when the clock was set back", async () => {
    const { base, clock, imds, troubles } = startBase();
    imds.isDown = true;
    await base.current().catch(() => {});
    clock.leap(-60 * MINUTE);
    await base.current().catch(() => {});
    await base.current().catch(() => {});
    expect(troubles()).toHaveLength(2);
  });
});
