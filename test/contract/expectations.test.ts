import { describe, expect, test } from "vitest";
import type { SeenRequest } from "../../src/sim/imds.ts";
import type { CaseContext, CaseExpectation, ConformanceCase } from "./conformance-cases.ts";
import { caseFaults, type Observed } from "./expectations.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Length: 2\r\n\r\n{}";

function seen(target: string, lenientSegments: readonly string[] = []): SeenRequest {
  const head = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n`);
  const fields = [
    ["Host", "a"],
    ["X-A", "1"],
  ] as const;
  const request = { method: "GET", target, protocol: "HTTP/1.1", fields, head, body: Buffer.alloc(0), isWellFormed: true };
  return { ...request, lenientSegments, sourceAddress: "127.0.0.1", status: 200 };
}

function observed(differing: Partial<Observed> & { text?: string } = {}): Observed {
  const bytes = Buffer.from(differing.text ?? ANSWER, "latin1");
  return { answer: { bytes, ending: "end" }, seen: [], stsCalls: 0, millis: 0, now: Date.parse("2026-11-24T02:00:00Z"), ...differing };
}

function caseOf(expectation: Partial<CaseExpectation>, context: Partial<CaseContext> = {}): ConformanceCase {
  return {
    id: "a-case",
    title: "a case",
    rule: "T7",
    request: { method: "GET", target: "/latest/x", httpVersion: "HTTP/1.1", headers: [["Host", "a"]], body: "" },
    context: { container: "app", imdsTokens: "optional", stsState: "ok", ...context },
    expect: { forwardedUpstream: false, ...expectation },
  };
}

const PROBE = seen("/latest/meta-data/instance-id");
const FORWARDED = seen("/latest/x");

describe("a case that is not met is told by the field", () => {
  test.for<{ field: string; expectation: object; differing?: Parameters<typeof observed>[0] }>([
    { field: "status", expectation: { status: 404 } },
    { field: "status", expectation: { status: 200 }, differing: { text: "" } },
    { field: "headers", expectation: { headers: { Server: "nginx" } } },
    { field: "headers", expectation: { headers: { server: null } } },
    { field: "headers", expectation: { headers: { "Content-Length": { matches: "\\d\\d" } } } },
    { field: "headers", expectation: { headers: { Date: { matches: ".*" } } } },
    { field: "headers", expectation: { headers: { A: "1" } }, differing: { text: "HTTP/1.1 200 OK\r\nA: 1\r\na: 1\r\n\r\n" } },
    { field: "bodyEquals", expectation: { bodyEquals: "{} " } },
    { field: "bodyBase64", expectation: { bodyBase64: "AA==" } },
    { field: "bodyEmpty", expectation: { bodyEmpty: true } },
    { field: "bodyMatches", expectation: { bodyMatches: "\\{" } },
    { field: "bodyMustNotContain", expectation: { bodyMustNotContain: ["EC2ws"] } },
    { field: "jsonFields", expectation: { jsonFields: { Code: "Success" } } },
    { field: "jsonKeysExact", expectation: { jsonKeysExact: ["Code"] } },
    {
      field: "minLifeSeconds",
      expectation: { minLifeSeconds: 61 },
      differing: { text: 'HTTP/1.1 200 OK\r\n\r\n{"Expiration":"2026-11-24T02:01:00Z"}' },
    },
    { field: "minLifeSeconds", expectation: { minLifeSeconds: 1 } },
    {
      field: "connectionClosed",
      expectation: { connectionClosed: true },
      differing: { answer: { bytes: Buffer.from(ANSWER), ending: "reset" } },
    },
    { field: "noResponse", expectation: { noResponse: true } },
    { field: "responses", expectation: { responses: 1 }, differing: { text: `${ANSWER}${ANSWER}` } },
    { field: "maxMillis", expectation: { maxMillis: 10 }, differing: { millis: 11 } },
    { field: "forwardedUpstream", expectation: { forwardedUpstream: true }, differing: { seen: [PROBE] } },
    { field: "forwardedUpstream", expectation: { forwardedUpstream: false }, differing: { seen: [FORWARDED] } },
    { field: "forwardedUpstream", expectation: { forwardedUpstream: true }, differing: { seen: [FORWARDED, FORWARDED] } },
    {
      field: "forwardedTargetExact",
      expectation: { forwardedUpstream: true, forwardedTargetExact: "/x" },
      differing: { seen: [FORWARDED] },
    },
    { field: "forwardedMethod", expectation: { forwardedUpstream: true, forwardedMethod: "PUT" }, differing: { seen: [FORWARDED] } },
    {
      field: "upstreamHeaders",
      expectation: { forwardedUpstream: true, upstreamHeaders: { "X-A": null } },
      differing: { seen: [FORWARDED] },
    },
    {
      field: "upstreamHeaderLinesInOrder",
      expectation: { forwardedUpstream: true, upstreamHeaderLinesInOrder: ["X-A: 1", "Host: a"] },
      differing: { seen: [FORWARDED] },
    },
    {
      field: "upstreamMustNotSee",
      expectation: { forwardedUpstream: true, upstreamMustNotSee: ["/latest/x"] },
      differing: { seen: [FORWARDED] },
    },
    { field: "probeUpstream", expectation: { probeUpstream: "must" } },
    { field: "probeUpstream", expectation: { probeUpstream: "mustNot" }, differing: { seen: [PROBE] } },
    { field: "stsCalls", expectation: { stsCalls: 1 } },
    { field: "stsCalls", expectation: { stsCalls: { max: 1 } }, differing: { stsCalls: 2 } },
    { field: "surprise", expectation: { surprise: 1 } },
    { field: "LEAK", expectation: {}, differing: { text: "HTTP/1.1 200 OK\r\n\r\nLEAK" } },
    { field: "LEAK", expectation: { forwardedUpstream: true }, differing: { seen: [seen("/latest/x", ["latest", "meta-data", "iam"])] } },
  ])("$field of $expectation", ({ field, expectation, differing }) => {
    const faults = caseFaults(observed(differing), caseOf(expectation));
    expect(faults.map((fault) => fault.split(":")[0])).toEqual([field]);
  });
});

describe("a case that is met has no fault", () => {
  test.for<{
    name: string;
    expectation: Partial<CaseExpectation>;
    context?: Partial<CaseContext>;
    differing?: Parameters<typeof observed>[0];
  }>([
    {
      name: "an answer",
      expectation: {
        status: [200, 404],
        headers: { server: "EC2ws", Via: null },
        bodyMatches: "\\{\\}",
        connectionClosed: true,
        responses: 1,
      },
    },
    { name: "no answer", expectation: { noResponse: true }, differing: { text: "" } },
    { name: "a probe", expectation: { probeUpstream: "must" }, differing: { seen: [PROBE] } },
    { name: "a verdict from setup", expectation: { probeUpstream: "must" }, context: { setup: [{ raw: "GET / HTTP/1.0\r\n\r\n" }] } },
    {
      name: "a request that was forwarded",
      expectation: { forwardedUpstream: true, forwardedTargetExact: "/latest/x", upstreamHeaderLinesInOrder: ["Host: a", "X-A: 1"] },
      differing: { seen: [FORWARDED] },
    },
    {
      name: "two in parallel",
      expectation: { forwardedUpstream: true },
      context: { parallel: 2 },
      differing: { seen: [FORWARDED, FORWARDED] },
    },
  ])("$name", ({ expectation, context, differing }) => {
    expect(caseFaults(observed(differing), caseOf(expectation, context))).toEqual([]);
  });
});
