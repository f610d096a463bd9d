import type { SeenRequest } from "../../src/sim/imds.ts";
import { isInCredentialTree } from "../../src/sim/imds-path.ts";
import { fieldOf, type ParsedAnswer, parseAnswer, type RawAnswer } from "../support/raw-request.ts";
import { type CaseExpectation, type ConformanceCase, type HeaderRule, requestLine, requestText } from "./conformance-cases.ts";

/** All that one request of a case led to. */
export interface Observed {
  readonly answer: RawAnswer;
  /** What reached the metadata service, for all parallel requests together. */
  readonly seen: readonly SeenRequest[];
  readonly stsCalls: number;
  /** From the sending to the last byte. */
  readonly millis: number;
  /** Milliseconds since the epoch, by the daemon's clock, at the end. */
  readonly now: number;
}

/** One check of one field of `expect`: what is wrong, in words, or undefined. */
type Check = (observed: Observed, conformanceCase: ConformanceCase) => string | undefined;
type Field = keyof CaseExpectation;

const PROBE = /^\/[^/]+\/meta-data\/instance-id$/;

/** Checks that look at nothing but the answer: they hold for the metadata service itself too. */
const ANSWER_CHECKS = {
  status: ({ answer }, { expect }) => {
    const { status } = parseAnswer(answer.bytes);
    return [expect.status].flat().includes(status) ? undefined : `status ${status}`;
  },
  headers: ({ answer }, { expect }) => headerFaults(parseAnswer(answer.bytes), expect.headers),
  bodyEquals: (observed, { expect }) => different(bodyText(observed), expect.bodyEquals),
  bodyBase64: ({ answer }, { expect }) => different(parseAnswer(answer.bytes).body.toString("base64"), expect.bodyBase64),
  bodyEmpty: (observed) => different(bodyText(observed), ""),
  bodyMatches: (observed, { expect }) => (isWholeMatch(bodyText(observed), expect.bodyMatches ?? "") ? undefined : bodyText(observed)),
  bodyMustNotContain: ({ answer }, { expect }) => {
    const found = (expect.bodyMustNotContain ?? []).filter((text) => answer.bytes.includes(text, 0, "latin1"));
    return found.length === 0 ? undefined : `holds ${found.join(", ")}`;
  },
  jsonFields: (observed, { expect }) => {
    const fields = jsonOf(observed);
    const wrong = Object.entries(expect.jsonFields ?? {}).filter(([key, value]) => fields.get(key) !== value);
    return wrong.length === 0 ? undefined : `not so: ${wrong.join("; ")}`;
  },
  jsonKeysExact: (observed, { expect }) => different([...jsonOf(observed).keys()].join(), expect.jsonKeysExact?.join()),
  minLifeSeconds: (observed, { expect }) => {
    const leftSeconds = (Date.parse(String(jsonOf(observed).get("Expiration"))) - observed.now) / 1000;
    return leftSeconds >= (expect.minLifeSeconds ?? 0) ? undefined : `only ${leftSeconds} s left`;
  },
  connectionClosed: ({ answer }, { expect }) => different(answer.ending === "end", expect.connectionClosed),
  noResponse: ({ answer }) =>
    answer.bytes.length === 0 && answer.ending !== "timeout" ? undefined : `${answer.bytes.length} bytes, ${answer.ending}`,
  responses: ({ answer }, { expect }) =>
    different([...answer.bytes.toString("latin1").matchAll(/HTTP\/1\.[01] \d{3} /g)].length, expect.responses),
  maxMillis: ({ millis }, { expect }) => (millis <= (expect.maxMillis ?? 0) ? undefined : `took ${millis} ms`),
} satisfies Partial<Record<Field, Check>>;

/** Checks that look at what a gateway did behind the answer. */
const GATEWAY_CHECKS = {
  forwardedUpstream: (observed, conformanceCase) => {
    const wanted = conformanceCase.expect.forwardedUpstream ? (conformanceCase.context.parallel ?? 1) : 0;
    const targets = forwarded(observed, conformanceCase).map(({ target }) => target);
    return targets.length === wanted ? undefined : `${targets.length} forwarded instead of ${wanted}: ${targets.join(" ")}`;
  },
  forwardedTargetExact: (observed, conformanceCase) =>
    different(forwarded(observed, conformanceCase)[0]?.target, conformanceCase.expect.forwardedTargetExact),
  forwardedMethod: (observed, conformanceCase) =>
    different(forwarded(observed, conformanceCase)[0]?.method, conformanceCase.expect.forwardedMethod),
  upstreamHeaders: (observed, conformanceCase) => {
    const [request] = forwarded(observed, conformanceCase);
    return request ? headerFaults(request, conformanceCase.expect.upstreamHeaders) : "nothing was forwarded";
  },
  upstreamHeaderLinesInOrder: (observed, conformanceCase) => {
    const wanted = conformanceCase.expect.upstreamHeaderLinesInOrder ?? [];
    const lines = forwarded(observed, conformanceCase)[0]?.head.toString("latin1").split("\r\n") ?? [];
    return different(lines.filter((line) => wanted.includes(line)).join("\n"), wanted.join("\n"));
  },
  upstreamMustNotSee: ({ seen }, { expect }) => {
    const found = seen.filter(({ target }) => expect.upstreamMustNotSee?.includes(target));
    return found.length === 0 ? undefined : `upstream saw ${found.map(({ target }) => target).join(" ")}`;
  },
  probeUpstream: (observed, conformanceCase) => {
    const probes = observed.seen.length - forwarded(observed, conformanceCase).length;
    const wanted = conformanceCase.expect.probeUpstream;
    if (wanted === "mustNot") return probes === 0 ? undefined : `${probes} probes`;
    return wanted === "may" || probes > 0 || mayUseVerdict(conformanceCase) ? undefined : "no probe";
  },
  stsCalls: ({ stsCalls }, { expect }) => {
    const wanted = typeof expect.stsCalls === "number" ? { min: expect.stsCalls, max: expect.stsCalls } : (expect.stsCalls ?? {});
    const isRight = stsCalls >= (wanted.min ?? 0) && stsCalls <= (wanted.max ?? Number.POSITIVE_INFINITY);
    return isRight ? undefined : `${stsCalls} calls of STS`;
  },
} satisfies Partial<Record<Field, Check>>;

/** `class` is a claim about the pure function and is tested there. */
const TESTED_ELSEWHERE: ReadonlySet<string> = new Set(["class"] satisfies Field[]);

/** What the answer of a case lacks, one line a field; empty when all is well. */
export function answerFaults(observed: Observed, conformanceCase: ConformanceCase): readonly string[] {
  const isLeaking = observed.answer.bytes.includes("LEAK");
  return [...(isLeaking ? ["LEAK: in the answer"] : []), ...faultsBy(ANSWER_CHECKS, observed, conformanceCase)];
}

/** All that a case expects and did not get, one line a field. A field without a check is a fault: nothing is skipped in silence. */
export function caseFaults(observed: Observed, conformanceCase: ConformanceCase): readonly string[] {
  const unknown = Object.keys(conformanceCase.expect).filter(
    (field) => !(field in ANSWER_CHECKS || field in GATEWAY_CHECKS || TESTED_ELSEWHERE.has(field)),
  );
  const leaks = observed.seen.filter(({ lenientSegments }) => isInCredentialTree(lenientSegments));
  return [
    ...unknown.map((field) => `${field}: unknown to this runner`),
    ...leaks.map(({ target }) => `LEAK: upstream was asked for ${target}`),
    ...answerFaults(observed, conformanceCase),
    ...faultsBy(GATEWAY_CHECKS, observed, conformanceCase),
  ];
}

function faultsBy(checks: Readonly<Record<string, Check>>, observed: Observed, conformanceCase: ConformanceCase): readonly string[] {
  return Object.entries(checks).flatMap(([field, check]) => {
    if (!(field in conformanceCase.expect)) return [];
    const fault = faultOf(check, observed, conformanceCase);
    return fault === undefined ? [] : [`${field}: ${fault}`];
  });
}

/** A check that can not even read the answer has found a fault. */
function faultOf(check: Check, observed: Observed, conformanceCase: ConformanceCase): string | undefined {
  try {
    return check(observed, conformanceCase);
  } catch (error) {
    return String(error);
  }
}

function forwarded({ seen }: Observed, { request }: ConformanceCase): readonly SeenRequest[] {
  const { target } = requestLine(request);
  return seen.filter((one) => !(one.method === "GET" && PROBE.test(one.target) && one.target !== target));
}

/** Whether a verdict that `setup` left may stand in for the probe (docs/contract.md, T9). */
function mayUseVerdict({ request, context }: ConformanceCase): boolean {
  const head = requestText(request).split("\r\n\r\n", 1)[0] ?? "";
  const tokenLines = head.match(/^x-aws-ec2-metadata-token:/gim) ?? [];
  return context.setup !== undefined && tokenLines.length <= 1 && !/^x-forwarded-for:/im.test(head);
}

function headerFaults(message: Pick<ParsedAnswer, "fields">, rules: Readonly<Record<string, HeaderRule>> = {}): string | undefined {
  const wrong = Object.entries(rules).flatMap(([name, rule]) => {
    const values = fieldOf(message, name);
    return isHeaderRight(values, rule) ? [] : [`${name} is ${values.length === 0 ? "absent" : values.join(" and ")}`];
  });
  return wrong.length === 0 ? undefined : wrong.join("; ");
}

function isHeaderRight(values: readonly string[], rule: HeaderRule): boolean {
  if (rule === null) return values.length === 0;
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) return false;
  return typeof rule === "string" ? value === rule : isWholeMatch(value, rule.matches);
}

function isWholeMatch(text: string, pattern: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text);
}

function bodyText({ answer }: Observed): string {
  return parseAnswer(answer.bytes).body.toString("utf8");
}

function jsonOf(observed: Observed): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(JSON.parse(bodyText(observed))));
}

function different(seen: unknown, wanted: unknown): string | undefined {
  return seen === wanted ? undefined : `${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`;
}
