import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSourceIdentity, sourceIdentityFor } from "../../src/policy/source-identity.ts";

function textOf(texts: Readonly<Record<string, string>>) {
  return (name: string) => texts[name];
}

describe("a source identity (S4)", () => {
  test.for(["ab", "ops@example.com", "{workload}", "{host}-{workload}", "a{label:team}", "x".repeat(64)])("is taken: %s", (text) => {
    expect(parseSourceIdentity(text)).toEqual({ value: text });
  });

  test.for([
    { text: "a", problem: '"a" is no source identity' },
    { text: "x".repeat(65), problem: `"${"x".repeat(65)}" is no source identity` },
    { text: `${"x".repeat(65)}{id}`, problem: `"${"x".repeat(65)}{id}" is no source identity` },
    { text: "a b", problem: '"a b" is no source identity' },
    { text: "{workload}/{id}", problem: '"{workload}/{id}" is no source identity' },
    { text: "{nope}", problem: "{nope} is no variable of a source identity" },
    { text: "", problem: '"" is no template of a source identity' },
  ])("is refused: $text", ({ text, problem }) => {
    expect(parseSourceIdentity(text)).toEqual({ problem, allowed: expect.stringMatching(/.{8}/), example: "{host}-{workload}" });
  });

  test("has a dash for what STS refuses in what a variable brings", () => {
    expect(sourceIdentityFor("{image}", textOf({ image: "shop/web:1.27" }))).toEqual({ value: "shop-web-1.27" });
  });

  test.for([
    {
      title: "lacks a variable",
      template: "a-{label:team}",
      texts: {},
      problem: "the source identity needs {label:team}, and this workload has none",
    },
    {
      title: "lacks it as good",
      template: "a-{id}",
      texts: { id: "" },
      problem: "the source identity needs {id}, and this workload has none",
    },
    {
      title: "is too long",
      template: "a{workload}",
      texts: { workload: "n".repeat(64) },
      problem: "the source identity would have 65 characters: 2 to 64 are allowed",
    },
    {
      title: "is too short",
      template: "{workload}",
      texts: { workload: "n" },
      problem: "the source identity would have 1 characters: 2 to 64 are allowed",
    },
  ])("that $title is not made up", ({ template, texts, problem }) => {
    expect(sourceIdentityFor(template, textOf(texts))).toEqual({ problem });
  });

  test("is one that STS accepts, or none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (workload) => {
        const made = sourceIdentityFor("{workload}", textOf({ workload }));
        if ("value" in made) expect(made.value).toMatch(/^[\w+=,.@-]{2,64}$/);
      }),
    );
  });
});
