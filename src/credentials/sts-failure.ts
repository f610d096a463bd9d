import { type ErrorCode, ImdsgateError } from "../errors.ts";
import { isAnswerTooLong } from "./sts-body.ts";

/**
 * An SDK's failure of `action` in our codes (docs/contract.md, 11). STS's own words are kept only where they hold what the operator
 * must change: those of a refused signature repeat the signed headers, session token included, so the cause is not carried along.
 */
export function stsFailure(error: unknown, action: string): ImdsgateError {
  const name = textAt(error, "name") ?? "UnknownError";
  const status = statusOf(error);
  if (isAnswerTooLong(error))
    return new ImdsgateError("STS_ANSWER_BAD", `${action} failed: the answer is longer than 1 MiB; check --sts-endpoint`);
  if (name === "EndpointError" || textAt(error, "code") === "ERR_INVALID_URL") return badEndpoint(error, action);
  const code = codeFor(name, status);
  return new ImdsgateError(code, `${action} failed: ${reasonFor(code, name, status, error)}`);
}

/** Nothing was sent: the SDK's settings contradict each other, or lead nowhere. */
function badEndpoint(error: unknown, action: string): ImdsgateError {
  const why = `${oneLine(textAt(error, "message") ?? "")}; look at AWS_ENDPOINT_URL_STS, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT`;
  return new ImdsgateError("STS_UNAVAILABLE", `${action} failed: STS has no endpoint: ${why}, and at the same keys of the profile`);
}

function codeFor(name: string, status: number | undefined): ErrorCode {
  if (status === 429 || /^(Throttl|RequestLimitExceeded|TooManyRequests)/.test(name)) return "STS_THROTTLED";
  if (status !== undefined && status >= 500) return "STS_UNAVAILABLE";
  if (/^AccessDenied(Exception)?$/.test(name)) return "STS_DENIED";
  if (
    /^(ValidationError|InvalidParameterValue|MalformedPolicyDocument|PackedPolicyTooLarge|RegionDisabled|NoSuchEntity)(Exception)?$/.test(
      name,
    )
  )
    return "STS_INVALID";
  if (/^(ExpiredToken|InvalidClientTokenId|UnrecognizedClient)/.test(name)) return "STS_BASE_REFUSED";
  return status !== undefined && status < 300 ? "STS_ANSWER_BAD" : "STS_UNAVAILABLE";
}

function reasonFor(code: ErrorCode, name: string, status: number | undefined, error: unknown): string {
  switch (code) {
    case "STS_DENIED":
    case "STS_INVALID":
      return `${word(name)}: ${oneLine(textAt(error, "message") ?? "")}`;
    case "STS_THROTTLED":
      return `STS is throttling (${word(name)}); it is tried again`;
    case "STS_BASE_REFUSED":
      return `STS refused imdsgate's own credentials (${word(name)}); see the event base-credentials for where they come from`;
    case "STS_ANSWER_BAD":
      return "the answer is not what STS answers; check --sts-endpoint";
    default:
      return `no answer that can be used (${word(textAt(error, "code") ?? name)}${status === undefined ? "" : `, status ${status}`}); check the network and --sts-endpoint`;
  }
}

/** STS's message as one short line of printable ASCII. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, " ").slice(0, 400);
}

/** A name or a code: STS's own are short, but who answers may be somebody else. */
function word(text: string): string {
  return oneLine(text).slice(0, 64);
}

/** The status of the answer: in `$metadata` of an error that STS sent, in `$response` of an answer that could not be read. */
function statusOf(error: unknown): number | undefined {
  const status = at(at(error, "$metadata"), "httpStatusCode") ?? at(at(error, "$response"), "statusCode");
  return typeof status === "number" ? status : undefined;
}

function textAt(value: unknown, key: string): string | undefined {
  const text = at(value, key);
  return typeof text === "string" && text !== "" ? text : undefined;
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
