import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchesGlob } from "../../src/policy/glob.ts";

describe("a glob", () => {
  test.for([
    { pattern: "web", text: "web", matches: true },
    { pattern: "web", text: "web-1", matches: false },
    { pattern: "web", text: "my-web", matches: false },
    { pattern: "web", text: "Web", matches: false },
    { pattern: "web-?", text: "web-1", matches: true },
    { pattern: "web-?", text: "web-", matches: false },
    { pattern: "web-?", text: "web-12", matches: false },
    { pattern: "*", text: "", matches: true },
    { pattern: "*", text: "any/thing:1", matches: true },
    { pattern: "w*b*", text: "web-bob", matches: true },
    { pattern: "*-db", text: "a-db-db", matches: true },
    { pattern: "*-db", text: "a-db-x", matches: false },
    { pattern: "a*b*c", text: "aXbYbZc", matches: true },
    { pattern: "a.c", text: "abc", matches: false },
    { pattern: "[ab]", text: "a", matches: false },
    { pattern: "", text: "", matches: true },
    { pattern: "", text: "a", matches: false },
  ])("$pattern on $text is $matches", ({ pattern, text, matches }) => {
    expect(matchesGlob(pattern, text)).toBe(matches);
  });

  test("agrees with the regular expression that says the same", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    const texts = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const twin = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(matchesGlob(pattern, text)).toBe(twin.test(text));
      }),
    );
  });

  test("that would take a regular expression for ever has an answer", () => {
    expect(matchesGlob(`${"*a".repeat(50)}b`, "a".repeat(5_000))).toBe(false);
  });
});
