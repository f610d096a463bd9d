import { describe, expect, test } from "vitest";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import type { Answer, AnswerLog } from "./churn/answer-log.ts";
import { type Chronicle, emptyChronicle, type Span } from "./churn/chronicle.ts";
import { ACCOUNT } from "./churn/churn-stage.ts";
import { judge } from "./churn/verdict.ts";

const ID = "abcdef012345".padEnd(64, "0");
const session = (role: string, name: string) => `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${name}-abcdef012345`;
const OWNERS = new Map([
  ["ASIAOWN", session("role-1", "web")],
  ["ASIATWIN", `arn:aws:sts::${ACCOUNT}:assumed-role/role-1/twin-999999999999`],
]);

function chronicleWith(role: string | undefined, ...ordeals: Span[]): Chronicle {
  const chronicle = emptyChronicle();
  chronicle.containers.set("c1", { key: "c1", id: ID, role, names: ["web", "web-again"], ordeals: [] });
  chronicle.ordeals.push(...ordeals);
  return chronicle;
}

/** What is said of one answer, given 2 s after the container's birth. */
function verdictOn(answer: Partial<Answer>, chronicle: Chronicle) {
  const whole: Answer = { kind: "list", openedAt: 2_000, sentAt: 2_000, doneAt: 2_010, source: "-", outcome: "200", value: "", ...answer };
  const log: AnswerLog = { key: "c1", isExec: false, bornAt: 0, answers: [whole], tenures: [] };
  const { wrong, hostCredentials, unexcused, old } = judge([log], chronicle, (key) => OWNERS.get(key));
  return { wrong: wrong.length, hostCredentials: hostCredentials.length, unexcused: unexcused.length, served: old.served };
}

const NOTHING = { wrong: 0, hostCredentials: 0, unexcused: 0, served: 1 };

describe("the judge of churn", () => {
  test.for<{ title: string; role?: string; answer: Partial<Answer>; seen: Partial<typeof NOTHING> }>([
    { title: "takes the own role", role: "role-1", answer: { value: "role-1" }, seen: {} },
    { title: "takes credentials of the own session", role: "role-1", answer: { kind: "doc", value: "ASIAOWN" }, seen: {} },
    { title: "takes no role where there is no binding", answer: { outcome: "404" }, seen: {} },
    { title: "finds another's role", role: "role-1", answer: { value: "role-2" }, seen: { wrong: 1 } },
    { title: "finds a role where there is no binding", answer: { value: "role-2" }, seen: { wrong: 1, served: 0 } },
    {
      title: "finds credentials of another with the same role",
      role: "role-1",
      answer: { kind: "doc", value: "ASIATWIN" },
      seen: { wrong: 1 },
    },
    { title: "finds credentials of nobody", role: "role-1", answer: { kind: "doc", value: "no key" }, seen: { wrong: 1 } },
    {
      title: "finds the host's credentials",
      role: "role-1",
      answer: { kind: "doc", value: SIM_INSTANCE_ROLE.credentials.accessKeyId },
      seen: { wrong: 1, hostCredentials: 1 },
    },
    { title: "finds the host's role", role: "role-1", answer: { value: SIM_INSTANCE_ROLE.name }, seen: { wrong: 1, hostCredentials: 1 } },
    { title: "finds another's role beside the own one", role: "role-1", answer: { value: "role-1 role-2" }, seen: { wrong: 1 } },
    {
      title: "finds the host's role beside the own one",
      role: "role-1",
      answer: { value: `role-1 ${SIM_INSTANCE_ROLE.name}` },
      seen: { wrong: 1, hostCredentials: 1 },
    },
    {
      title: "finds an answer to what was behind the request",
      role: "role-1",
      answer: { outcome: "more than one answer" },
      seen: { unexcused: 1, served: 0 },
    },
    { title: "finds a refusal without a reason", role: "role-1", answer: { outcome: "404" }, seen: { unexcused: 1, served: 0 } },
  ])("$title", ({ role, answer, seen }) => {
    expect(verdictOn(answer, chronicleWith(role))).toEqual({ ...NOTHING, ...seen });
  });

  test("takes a refusal for as long as its reason lasts, and no other refusal for the same reason", () => {
    const hung: Span = { ordeal: "docker-hung", from: 1_000, to: 2_005 };
    const over: Span = { ordeal: "docker-hung", from: 1_000, to: 1_999 };
    const refusals = (span: Span, outcome: string) => verdictOn({ outcome }, chronicleWith("role-1", span)).unexcused;
    expect([refusals(hung, "404"), refusals(over, "404"), refusals(hung, "ConnectionRefusedError")]).toEqual([0, 1, 1]);
  });

  test("takes as a reason what went on while the connection was open and nothing was asked over it yet", () => {
    const gone: Span = { ordeal: "gateway-down", from: 1_000, to: 1_500 };
    const refusals = (openedAt: number) =>
      verdictOn({ openedAt, outcome: "ConnectionResetError" }, chronicleWith("role-1", gone)).unexcused;
    expect([refusals(1_500), refusals(1_501)]).toEqual([0, 1]);
  });
});
