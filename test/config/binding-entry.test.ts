import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { PLAIN_SESSION } from "../../src/policy/session.ts";

/** The configuration from a file with `text`, called config.yaml in what is complained of. */
function parse(text: string, flags: Readonly<Record<string, unknown>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-binding-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  writeFileSync(path, text);
  try {
    return { config: parseConfig({ flags: { ...flags, config: path }, environment: {} }), complaint: undefined };
  } catch (error) {
    return { config: undefined, complaint: String(error instanceof Error ? error.message : error).replaceAll(path, "config.yaml") };
  }
}

/** A file whose second binding begins in line 3 and goes on with `lines`. */
function fileWith(...lines: readonly string[]): string {
  return ["bind:", "  - name:first=first", "  - match: name:web", "    role: app", ...lines.map((line) => `    ${line}`), ""].join("\n");
}

const WHOLE = fileWith(
  "externalId: 00123456",
  'sessionName: "{compose.service}@{host}"',
  'sourceIdentity: "{workload}"',
  "tags:",
  "  team: payments",
  '  owner: "{label:owner}"',
  "  number: 007",
  "transitiveTagKeys: [team]",
  "policy: |",
  "  {",
  '    "Statement": [{ "Effect": "Allow", "Action": "s3:Get*", "Resource": "*" }]',
  "  }",
  "policyArns: [arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess, arn:aws-cn:iam::111122223333:policy/app]",
  "duration: 900",
  "requireImdsv2: true",
);

describe("a binding of the file", () => {
  test("says all that its sessions are to have", () => {
    const { config } = parse(WHOLE);
    expect(config?.policy.bindings.map(({ text, session, requireImdsv2 }) => ({ text, session, requireImdsv2 }))).toEqual([
      { text: "name:first=first", session: PLAIN_SESSION, requireImdsv2: undefined },
      {
        text: "name:web=app",
        session: {
          externalId: "00123456",
          sessionName: "{compose.service}@{host}",
          sourceIdentity: "{workload}",
          tags: [
            { key: "team", template: "payments", isTransitive: true },
            { key: "owner", template: "{label:owner}", isTransitive: false },
            { key: "number", template: "007", isTransitive: false },
          ],
          policy: '{"Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}',
          policyArns: ["arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess", "arn:aws-cn:iam::111122223333:policy/app"],
          durationSeconds: 900,
        },
        requireImdsv2: true,
      },
    ]);
  });

  test.for([
    {
      title: "a label whose value looks like a role",
      match: "label:a=b=arn:aws:iam::111122223333:role/x",
      role: "app",
      selector: { kind: "label", key: "a", pattern: "b=arn:aws:iam::111122223333:role/x" },
      reference: { kind: "name", name: "app", text: "app" },
    },
    {
      title: "a label whose value is a role",
      match: "label:iam-role=arn:aws:iam::111122223333:role/x",
      role: "app",
      selector: { kind: "label", key: "iam-role", pattern: "arn:aws:iam::111122223333:role/x" },
      reference: { kind: "name", name: "app", text: "app" },
    },
    {
      title: "a label whose value ends in =",
      match: "label:a=b=",
      role: "app",
      selector: { kind: "label", key: "a", pattern: "b=" },
      reference: { kind: "name", name: "app", text: "app" },
    },
  ])("keeps its two halves apart: $title", ({ match, role, selector, reference }) => {
    const { config, complaint } = parse(`bind: [{ match: "${match}", role: "${role}" }]`);
    expect(complaint).toBeUndefined();
    expect(config?.policy.bindings).toEqual([
      { selector, role: reference, session: PLAIN_SESSION, requireImdsv2: undefined, text: `${match}=${role}` },
    ]);
  });

  test.for([
    { match: "name:web", role: "b=app", is: '"b=app" is not the name of a role' },
    { match: "label:a", role: "b=app", is: '"a" is not a label and its value' },
    { match: "name:web=arn:aws:iam::111122223333:role/x", role: "app", is: '"web=arn:aws:iam::111122223333:role/x" is not the name of' },
    { match: "name:web", role: "", is: '"" is not the name of a role' },
  ])("is refused where a half is wrong by itself: $match, $role", ({ match, role, is }) => {
    expect(parse(`bind: [{ match: "${match}", role: "${role}" }]`).complaint).toContain(`config.yaml line 1: ${is}`);
  });

  test("is warned of when its sessions last less than an hour (N8)", () => {
    expect(parse(WHOLE).config?.warnings).toEqual([expect.stringMatching(/^duration of name:web=app: sessions of 900 s are renewed/)]);
    expect(parse(fileWith("duration: 3600")).config?.warnings).toEqual([]);
  });

  test("has tags without a value where nothing stands", () => {
    const { config } = parse(fileWith("tags:", "  team:", '  env: ""'));
    expect(config?.policy.bindings[1]?.session.tags.map(({ template }) => template)).toEqual(["", ""]);
  });

  test("has one policy or one tag to pass on without a list", () => {
    const one = fileWith("policyArns: arn:aws:iam::aws:policy/ReadOnlyAccess", "tags: { team: a }", "transitiveTagKeys: team");
    expect(parse(one).config?.policy.bindings[1]?.session).toMatchObject({
      policyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
      tags: [{ key: "team", template: "a", isTransitive: true }],
    });
  });

  test.for([
    {
      title: "a duration below 15 minutes (N8)",
      lines: ["duration: 899"],
      is: '5, duration of name:web=app: "899" is no duration of a session',
    },
    { title: "an external id with a blank", lines: ["externalId: a b"], is: '5, externalId of name:web=app: "a b" is no external id' },
    {
      title: "a session name of nothing known",
      lines: ["sessionName: '{nope}'"],
      is: "5, sessionName of name:web=app: {nope} is no variable",
    },
    {
      title: "a source identity with a blank",
      lines: ["sourceIdentity: a b"],
      is: '5, sourceIdentity of name:web=app: "a b" is no source',
    },
    {
      title: "an illegal tag value",
      lines: ["tags:", "  team: a", "  env: a!b"],
      is: '7, tags env of name:web=app: "a!b" is no value of a',
    },
    { title: "an illegal tag key", lines: ["tags:", "  aws:team: a"], is: '6, tags aws:team of name:web=app: "aws:team" is no key of a' },
    {
      title: "keys that differ in case",
      lines: ["tags:", "  team: a", "  Team: b"],
      is: '6, tags team of name:web=app: the tag "Team" is given twice',
    },
    {
      title: "a stray transitive key",
      lines: ["tags: { a: b }", "transitiveTagKeys: [c]"],
      is: '6, transitiveTagKeys of name:web=app: the transitive tag "c" is',
    },
    {
      title: "tags that are no map",
      lines: ["tags: [a, b]"],
      is: "5, tags of name:web=app: tags are a map, like: tags: { team: payments }",
    },
    {
      title: "a tag that is a map",
      lines: ["tags: { a: { b: c } }"],
      is: '5, tags a of name:web=app: {"b":"c"} stands where a text belongs',
    },
    { title: "a policy that is no JSON", lines: ["policy: s3.json"], is: "5, policy of name:web=app: this is no JSON object" },
    {
      title: "a policy without quotes",
      lines: ['policy: { "Statement": [] }'],
      is: "5, policy of name:web=app: a map stands where JSON text belongs; put",
    },
    {
      title: "a managed policy by its name",
      lines: ["policyArns: [ReadOnlyAccess]"],
      is: '5, policyArns of name:web=app: "ReadOnlyAccess" is not the ARN',
    },
    {
      title: "an unknown key",
      lines: ["duration: 3600", "tag: { a: b }"],
      is: '6: unknown key "tag" in a binding; allowed: match, role, externalId, ',
    },
    { title: "no number as a switch", lines: ["requireImdsv2: perhaps"], is: '5, requireImdsv2 of name:web=app: "perhaps" is neither' },
  ])("is refused for $title, with its line and key", ({ lines, is }) => {
    const { complaint } = parse(fileWith(...lines));
    expect(complaint?.slice(0, `config.yaml line ${is}`.length)).toBe(`config.yaml line ${is}`);
  });

  test("is refused for more than fifty tags, and more than ten policies", () => {
    const tags = Array.from({ length: 51 }, (_, n) => `k${n}: v`).join(", ");
    const arns = Array.from({ length: 11 }, (_, n) => `arn:aws:iam::aws:policy/p${n}`).join(", ");
    expect(parse(fileWith(`tags: { ${tags} }`)).complaint).toContain("there are 51 tags\n  allowed  50 tags at most");
    expect(parse(fileWith(`policyArns: [ ${arns} ]`)).complaint).toContain("there are 11 policies\n  allowed  up to 10 different ones");
  });
});

describe("with --session-scope role", () => {
  const scope = { "session-scope": "role" };

  test("a session is named after the host, or what is the same for all its containers", () => {
    const file = fileWith("sessionName: fleet", 'sourceIdentity: "imdsgate@{host}"', 'tags: { host: "{host}", team: blue }');
    expect(parse(file, scope).config?.policy).toMatchObject({
      sessionName: "{host}",
      bindings: [{}, { session: { sessionName: "fleet" } }],
    });
    expect(parse(file, { ...scope, "session-name": "web-{host}" }).config?.policy.sessionName).toBe("web-{host}");
    expect(parse(file, { "session-scope": "container" }).config?.policy.sessionName).toBe("{workload}-{id}");
  });

  test.for([
    { lines: ['sessionName: "{host}-{workload}"'], is: "5, sessionName of name:web=app: {workload}" },
    { lines: ['sourceIdentity: "{id}"'], is: "5, sourceIdentity of name:web=app: {id}" },
    { lines: ['tags: { a: b, team: "{label:team}" }'], is: "5, tags team of name:web=app: {label:team}" },
  ])("$lines is refused, since it differs from container to container", ({ lines, is }) => {
    expect(parse(fileWith(...lines)).complaint).toBeUndefined();
    expect(parse(fileWith(...lines), scope).complaint).toBe(
      `config.yaml line ${is} differs from container to container, and with --session-scope role they share a session\n` +
        "  allowed  text with {host}, or --session-scope container\n  example  {host}",
    );
  });

  test("the flag is held to it too", () => {
    expect(parse("", { ...scope, "session-name": "{image}" }).complaint).toMatch(/^--session-name: \{image\} differs from container/);
  });
});
