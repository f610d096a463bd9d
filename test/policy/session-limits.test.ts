import { describe, expect, test } from "vitest";
import { durationWarning, parseDuration, parseExternalId } from "../../src/policy/session-limits.ts";

describe("an external id", () => {
  test.for(["ab", "partner-7f3a", "a+=,.@:/-_Z9", "x".repeat(1224)])("is taken: %.20s", (text) => {
    expect(parseExternalId(text)).toEqual({ value: text });
  });

  test.for(["", "a", "two words", "ä1", "x".repeat(1225), "ab\n"])("is refused: %j", (text) => {
    expect(parseExternalId(text)).toEqual({
      problem: `${JSON.stringify(text)} is no external id`,
      allowed: "2 to 1224 letters, digits and +=,.@:/_-",
      example: "app=partner-7f3a",
    });
  });
});

describe("the duration of a session", () => {
  test.for([
    { text: "900", seconds: 900 },
    { text: "3600", seconds: 3600 },
    { text: "43200", seconds: 43_200 },
  ])("is taken: $text", ({ text, seconds }) => {
    expect(parseDuration(text)).toEqual({ value: seconds });
  });

  test.for(["", "899", "43201", "1h", "3600.5", "-3600", "0x384", "1e3", " 3600"])("is refused: %j", (text) => {
    expect(parseDuration(text)).toEqual({
      problem: `${JSON.stringify(text)} is no duration of a session`,
      allowed: "900 to 43200 seconds",
      example: "3600",
    });
  });

  test("below an hour is warned of", () => {
    expect([900, 3599, 3600, 43_200].map((seconds) => durationWarning(seconds) !== undefined)).toEqual([true, true, false, false]);
    expect(durationWarning(900)).toMatch(/^sessions of 900 s are renewed all the time/);
  });
});
