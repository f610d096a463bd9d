import type { Grant } from "../policy/decide.ts";
import type { SessionFacts } from "../policy/session.ts";

/** What STS is asked for: the role, and what makes one session of it different from another (docs/contract.md, S7). */
export interface AssumeRoleRequest extends SessionFacts {
  readonly roleArn: string;
}

/** The keys that imdsgate itself speaks to STS with. */
export interface BaseCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** Milliseconds since the epoch; undefined for keys without an end. */
  readonly expiresAt: number | undefined;
  /** Where they came from, for the log: `environment`, `profile`, `instance role NAME`. */
  readonly source: string;
}

/** What STS answered, as it stands in the answer. */
export interface AssumedRole {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAt: number;
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly assumedRoleArn: string;
}

/** Security Token Service, one attempt a call: retries are ours. Rejects with the STS_* codes of `errors.ts`. */
export interface Sts {
  assumeRole(request: AssumeRoleRequest, base: BaseCredentials, region: string, signal: AbortSignal): Promise<AssumedRole>;
  /** The ARN of the caller. */
  callerArn(base: BaseCredentials, region: string, signal: AbortSignal): Promise<string>;
}

/** What STS is asked for `grant`, for a session of `durationSeconds`. */
export function requestFor({ role, binding: _, ...session }: Grant, durationSeconds: number): AssumeRoleRequest {
  return { ...session, roleArn: role.arn, durationSeconds };
}
