import { describe, expect, test } from "vitest";
import { fixedTokens } from "../../src/sim/imds-tokens.ts";
import { CASES, FIXTURES, requestText } from "../contract/conformance-cases.ts";
import { answerFaults } from "../contract/expectations.ts";
import { rawRequest } from "../support/raw-request.ts";
import { testImds } from "../support/sims.ts";

/** A gateway edits listings (docs/contract.md, L4, P8): those answers are not the metadata service's own. */
const EDITED = new Set(["L4", "P8"]);
const { VALID, VALID2, remainingTtl } = FIXTURES.tokens;

describe("asked directly, the authentic metadata service answers what a gateway must relay", () => {
  const relayed = CASES.filter(({ rule, expect: { forwardedUpstream } }) => forwardedUpstream && !EDITED.has(rule));

  test("in 21 cases", () => expect(relayed.length).toBe(21));

  test.for(relayed)("$id: $title", async (conformanceCase) => {
    const { context, request } = conformanceCase;
    const imds = await testImds({
      facts: FIXTURES.upstream,
      tokens: fixedTokens([VALID, VALID2], remainingTtl),
      tokenUse: context.imdsTokens,
    });
    imds.setState(context.imdsState ?? "ok");
    const answer = await rawRequest(imds.endpoint, requestText(request));
    const observed = { answer, seen: imds.requests, stsCalls: 0, millis: 0, now: 0 };
    expect(answerFaults(observed, conformanceCase)).toEqual([]);
  });
});
