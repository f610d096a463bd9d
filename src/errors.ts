/**
 * Every way in which imdsgate itself fails, as a stable code. `docs/errors.md` explains each; a test compares
 * that page with this union both ways.
 */
export const ERROR_CODES = [
  "BASE_CREDENTIALS_UNAVAILABLE",
  "CONFIG_INVALID",
  "CONFIG_UNREADABLE",
  "DEMO_FAILED",
  "HANDOVER_FAILED",
  "HOST_FACTS_UNKNOWN",
  "LISTEN_FAILED",
  "RULES_FAILED",
  "RULES_NOT_PERMITTED",
  "RULES_TOOL_MISSING",
  "RUNTIME_UNAVAILABLE",
  "STS_ANSWER_BAD",
  "STS_BASE_REFUSED",
  "STS_DENIED",
  "STS_INVALID",
  "STS_THROTTLED",
  "STS_UNAVAILABLE",
  "UPSTREAM_IS_SELF",
  "UPSTREAM_UNAVAILABLE",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * A failure with a stable `code`. The message says what failed, on what, and the next step; it never holds a secret.
 * What a container may not have is not an error but a reply: see `gateway/answer.ts`.
 */
export class ImdsgateError extends Error {
  override readonly name = "ImdsgateError" as const;
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` is ours and carries `code`. */
export function hasCode(error: unknown, code: ErrorCode): error is ImdsgateError {
  return error instanceof ImdsgateError && error.code === code;
}
