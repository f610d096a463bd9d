import type { Fault, Trouble } from "./fault.ts";
import { type Call, errorTurn, httpTurn, keysTurn } from "./sts-texts.ts";

/** What STS says in its own words. */
export const REFUSALS: readonly Fault[] = [
  ...[saying(403, "AccessDenied"), saying(403, "AccessDeniedException")].map(
    (row): Fault => ({ ...row, rule: "X1, S11", outcomes: ["denied"], without: "the error document", next: "denial" }),
  ),
  ...[
    saying(400, "ValidationError"),
    saying(400, "MalformedPolicyDocument"),
    saying(400, "PackedPolicyTooLarge"),
    saying(403, "RegionDisabledException"),
    saying(404, "NoSuchEntity"),
  ].map((row): Fault => ({ ...row, rule: "X2, S11", outcomes: ["invalid"], without: "the error document", next: "denial" })),
  tooLong(
    "exceeds the 1 hour session limit",
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
  ),
  tooLong("exceeds `MaxSessionDuration`", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
  ...[
    saying(400, "Throttling"),
    saying(400, "ThrottlingException"),
    saying(400, "TooManyRequestsException"),
    saying(400, "RequestLimitExceeded"),
    saying(503, "RequestLimitExceeded"),
    { title: "429, whatever it says", trouble: answering(() => httpTurn(429, "slow down", "text/plain")) },
  ].map((row): Fault => ({ ...row, rule: "X3, S9", outcomes: ["throttled", "throttled", "throttled"], without: "500", next: "backoff" })),
  {
    title: "400 `Throttling`, once",
    rule: "S9",
    trouble: answering((call) => (call.nth === 1 ? errorTurn(400, "Throttling") : keysTurn(call))),
    outcomes: ["throttled", "ok"],
    without: "the lease",
    next: "renewal",
  },
  ...[saying(500, "InternalFailure"), saying(503, "ServiceUnavailable"), saying(500, "AccessDenied")].map(
    (row): Fault => ({ ...row, rule: "X4, S9", outcomes: ["unavailable", "unavailable", "unavailable"], without: "500", next: "backoff" }),
  ),
  {
    title: "403 `ExpiredToken`, once",
    rule: "S8",
    trouble: answering((call) => (call.nth === 1 ? errorTurn(403, "ExpiredToken") : keysTurn(call))),
    outcomes: ["base-refused", "ok"],
    without: "the lease",
    next: "renewal",
  },
  ...[
    saying(403, "ExpiredToken"),
    saying(403, "ExpiredTokenException"),
    saying(403, "InvalidClientTokenId"),
    saying(403, "UnrecognizedClientException"),
  ].map((row): Fault => ({ ...row, rule: "X5, S8", outcomes: ["base-refused", "base-refused"], without: "500", next: "backoff" })),
  {
    title: "nothing, since imdsgate has no credentials of its own",
    rule: "X5",
    trouble: { kind: "base" },
    outcomes: ["unavailable"],
    without: "500",
    next: "backoff",
  },
];

function answering(answer: (call: Call) => ReturnType<typeof httpTurn>): Trouble {
  return { kind: "answer", answer };
}

/** The same error for every call. */
function saying(status: number, code: string) {
  return { title: `${status} \`${code}\``, trouble: answering(() => errorTurn(status, code)) };
}

/** STS gives the role no more than an hour: it is asked once more, for that. */
function tooLong(words: string, message: string): Fault {
  const isLong = ({ question }: Call) => question.durationSeconds > 3_600;
  return {
    title: `400 \`ValidationError\`: two hours ${words}`,
    rule: "S1",
    trouble: answering((call) => (isLong(call) ? errorTurn(400, "ValidationError", message) : keysTurn(call))),
    outcomes: ["invalid", "ok"],
    durationSeconds: 7_200,
    without: "the lease",
    next: "renewal",
  };
}
