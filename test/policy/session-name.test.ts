import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Workload } from "../../src/identity/workload.ts";
import { DEFAULT_SESSION_NAME, parseSessionName, sessionNameFor } from "../../src/policy/session-name.ts";

const ID = "9f2c4e5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70";

function container(over: Partial<Workload> = {}): Workload {
  const facts = { kind: "container", name: "web", id: ID, image: "nginx:1.27", networks: ["bridge"], addresses: ["172.17.0.2"] } as const;
  return { ...facts, labels: { team: "blue", "com.docker.compose.service": "front" }, ...over };
}

const STATIC = container({ kind: "static", name: "vm-1", id: undefined, image: undefined, labels: {} });

describe("a session name", () => {
  test.for([
    { title: "is name and short id by default", template: DEFAULT_SESSION_NAME, workload: container(), name: "web-9f2c4e5a6b7c" },
    { title: "of a static workload is its name by default", template: DEFAULT_SESSION_NAME, workload: STATIC, name: "vm-1" },
    {
      title: "has every variable",
      template: "{host}.{compose.service}.{label:team}.{image}",
      workload: container(),
      name: "host-7.front.blue.nginx-1.27",
    },
    {
      title: "leaves out what the workload does not have",
      template: "x{label:none}{label:constructor}y",
      workload: container(),
      name: "xy",
    },
    { title: "puts each variable in once", template: "{workload}", workload: container({ name: "{id}" }), name: "-id-" },
    { title: "has a dash for what STS refuses", template: "{workload}", workload: container({ name: "a/b c:ü💥\n" }), name: "a-b-c----" },
    { title: "keeps what STS allows", template: "{workload}", workload: container({ name: "a_+=,.@-Z9" }), name: "a_+=,.@-Z9" },
    { title: "of one character is padded", template: "{workload}", workload: container({ name: "x" }), name: "x-" },
    { title: "of nothing is padded", template: "{label:none}", workload: container(), name: "--" },
    {
      title: "too long keeps its end",
      template: DEFAULT_SESSION_NAME,
      workload: container({ name: "n".repeat(80) }),
      name: `${"n".repeat(51)}-9f2c4e5a6b7c`,
    },
    {
      title: "too long keeps the id wherever it stands",
      template: "{id}-{workload}",
      workload: container({ name: "n".repeat(80) }),
      name: `9f2c4e5a6b7c-${"n".repeat(38)}-9f2c4e5a6b7c`,
    },
  ])("$title", ({ template, workload, name }) => {
    expect(sessionNameFor(template, workload, "host-7")).toBe(name);
  });

  test("is always one that STS accepts", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: "binary" }), fc.string(), (template, name, host) => {
        expect(sessionNameFor(template, container({ name }), host)).toMatch(/^[\w+=,.@-]{2,64}$/);
      }),
    );
  });
});

describe("a template of session names", () => {
  test.for([DEFAULT_SESSION_NAME, "fixed", "{host}-{image}", "{compose.service}", "{label:a.b/c}"])("is taken: %s", (template) => {
    expect(parseSessionName(template)).toEqual({ value: template });
  });

  test.for([
    { template: "{name}", problem: "{name} is no variable of a session name" },
    { template: "{workload}-{ID}", problem: "{ID} is no variable of a session name" },
    { template: "{label:}", problem: "{label:} is no variable of a session name" },
    { template: "{}", problem: "{} is no variable of a session name" },
    { template: "{{id}}", problem: '"{{id}}" is no template of a session name' },
    { template: "{id", problem: '"{id" is no template of a session name' },
    { template: "id}", problem: '"id}" is no template of a session name' },
    { template: "", problem: '"" is no template of a session name' },
  ])("is refused: $template", ({ template, problem }) => {
    const allowed = "text with {workload} {id} {image} {host} {compose.service} {label:KEY}";
    expect(parseSessionName(template)).toEqual({ problem, allowed, example: "{host}-{workload}-{id}" });
  });
});
