import type { StsFault } from "./sts-constraint.ts";
import { chainedDurationFault } from "./sts-parameters.ts";

/** What STS is made to do wrong; `ok` for nothing. */
export type StsState =
  | "ok"
  | "accessDenied"
  | "packedPolicyTooLarge"
  | "throttled"
  | "down"
  | "durationTooLong"
  | "expiredBaseOnce"
  | "slow300ms"
  | "slow2000ms";

/** How long an answer is held in `state`, in milliseconds. */
export function delayIn(state: StsState): number {
  if (state === "slow300ms") return 300;
  return state === "slow2000ms" ? 2000 : 0;
}

/** The fault that every AssumeRole meets in `state`; undefined where it goes on. */
export function faultIn(state: StsState, caller: string, parameters: { roleArn: string; durationSeconds: number }): StsFault | undefined {
  switch (state) {
    case "accessDenied":
      return accessDenied(caller, parameters.roleArn);
    case "packedPolicyTooLarge":
      return {
        status: 400,
        code: "PackedPolicyTooLarge",
        message: "Packed policy consumes 172% of allotted space, please use smaller policy.",
      };
    case "throttled":
      return { status: 400, code: "Throttling", message: "Rate exceeded" };
    case "durationTooLong":
      return parameters.durationSeconds > 3600 ? chainedDurationFault() : undefined;
    case "expiredBaseOnce":
      return expiredToken();
    case "ok":
    case "down":
    case "slow300ms":
    case "slow2000ms":
      return undefined;
  }
}

/** What STS says to keys that have ended. */
export function expiredToken(): StsFault {
  return { status: 403, code: "ExpiredToken", message: "The security token included in the request is expired" };
}

/** What STS says when the trust policy or the caller's policy does not allow it. */
export function accessDenied(caller: string, roleArn: string): StsFault {
  return {
    status: 403,
    code: "AccessDenied",
    message: `User: ${caller} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
  };
}
