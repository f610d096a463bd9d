import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTagKey, parseTagValue, tagSetProblem, tagsFor } from "../../src/policy/session-tags.ts";

const STS_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

function tagsOf(template: string, texts: Readonly<Record<string, string>>) {
  return tagsFor([{ key: "team", template, isTransitive: false }], (name) => texts[name]);
}

describe("a tag's key (S3)", () => {
  test.for(["a", "Cost Center", "a_.:/=+-@9", "größe", "x".repeat(128)])("is taken: %s", (text) => {
    expect(parseTagKey(text)).toEqual({ value: text });
  });
  test.for(["", "x".repeat(129), "a!", "a,b", "a\n", "💥", "aws:team", "AWS:team", "{id}"])("is refused: %j", (text) => {
    expect(parseTagKey(text)).toEqual({
      problem: `${JSON.stringify(text)} is no key of a session tag`,
      allowed: "1 to 128 letters, digits, spaces and _.:/=+-@, not beginning with aws:",
      example: "team: payments",
    });
  });
});

describe("a tag's value (S3)", () => {
  test.for(["", "blue", "größe 1", "{workload}", "shop/{compose.service}:{label:a.b/c}", "x".repeat(256)])("is taken: %s", (text) => {
    expect(parseTagValue(text)).toEqual({ value: text });
  });
  test.for([
    { text: "x".repeat(257), problem: /is no value of a session tag/ },
    { text: "a!{id}", problem: /is no value of a session tag/ },
    { text: "a\u0000", problem: /is no value of a session tag/ },
    { text: "{nope}", problem: /\{nope\} is no variable of a session tag/ },
    { text: "{id", problem: /is no template of a session tag/ },
  ])("is refused: $text", ({ text, problem }) => {
    expect(parseTagValue(text)).toMatchObject({ problem: expect.stringMatching(problem) });
  });
});

describe("tags together (S3)", () => {
  const fifty = Array.from({ length: 50 }, (_, n) => `k${n}`);
  test("are up to fifty, and some of them are passed on", () => {
    expect(tagSetProblem(fifty, ["k0", "k49"])).toBeUndefined();
    expect(tagSetProblem([], [])).toBeUndefined();
  });
  test.for([
    { title: "fifty-one", keys: [...fifty, "k50"], transitive: [], problem: "there are 51 tags" },
    { title: "keys that differ in case alone", keys: ["team", "Team"], transitive: [], problem: 'the tag "Team" is given twice' },
    {
      title: "one passed on that is not there",
      keys: ["team"],
      transitive: ["owner"],
      problem: 'the transitive tag "owner" is none of the tags',
    },
    { title: "one passed on without any", keys: [], transitive: ["owner"], problem: 'the transitive tag "owner" is none of the tags' },
  ])("are refused: $title", ({ keys, transitive, problem }) => {
    expect(tagSetProblem(keys, transitive)).toMatchObject({ problem });
  });
});

describe("the tags of a workload", () => {
  test("have each variable put in once, and nothing altered", () => {
    expect(tagsOf("{workload}/{label:team}", { workload: "web x", "label:team": "a:b@c" })).toEqual({
      value: [{ key: "team", value: "web x/a:b@c", isTransitive: false }],
    });
  });

  test.for([
    {
      title: "a label that is not there",
      template: "{label:team}",
      texts: {},
      problem: 'the tag "team" needs {label:team}, and this workload has none',
    },
    {
      title: "a label that is empty",
      template: "{label:team}",
      texts: { "label:team": "" },
      problem: 'the tag "team" needs {label:team}, and this workload has none',
    },
    {
      title: "a character that STS refuses",
      template: "{label:team}",
      texts: { "label:team": "a!b" },
      problem: 'the tag "team" would hold U+0021, which no session tag may hold',
    },
    {
      title: "a character beyond the first plane",
      template: "{label:team}",
      texts: { "label:team": "💥" },
      problem: 'the tag "team" would hold U+1F4A5, which no session tag may hold',
    },
    {
      title: "half a character",
      template: "{label:team}",
      texts: { "label:team": "\ud83d" },
      problem: 'the tag "team" would hold U+D83D, which no session tag may hold',
    },
    {
      title: "braces that look like a variable",
      template: "{label:team}",
      texts: { "label:team": "{id}" },
      problem: 'the tag "team" would hold U+007B, which no session tag may hold',
    },
    {
      title: "too much",
      template: "a{label:team}",
      texts: { "label:team": "x".repeat(256) },
      problem: 'the tag "team" would have 257 characters: 256 are allowed',
    },
  ])("are none with $title: never other ones", ({ template, texts, problem }) => {
    expect(tagsOf(template, texts)).toEqual({ problem });
  });

  test("are what STS accepts and what the label says, or none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (team) => {
        const made = tagsOf("{label:team}", { "label:team": team });
        const isFit = team !== "" && STS_VALUE.test(team);
        expect(made).toEqual(isFit ? { value: [{ key: "team", value: team, isTransitive: false }] } : { problem: expect.any(String) });
      }),
    );
  });
});
