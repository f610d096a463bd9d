import { type Clock, hasPassed } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { AssumeRoleRequest, BaseCredentials, Sts } from "./assume-role.ts";
import { type RoleUse, trustAdviceFor } from "./trust-advice.ts";

export interface RoleRefusalParts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Aborted when nothing more is to be asked or told. */
  readonly ending: AbortSignal;
}

const TELL_MS = 60_000;
const CALLER_MS = 5_000;

/**
 * `sts`, with each role that it refuses told to the operator, once a minute at most, with the statements that are missing. Nobody waits
 * for that. The caller's ARN is asked for once for the same credentials.
 */
export function withRefusalsTold(sts: Sts, { clock, emit, ending }: RoleRefusalParts): Sts {
  const toldAt = new Map<string, number>();
  let known: { readonly accessKeyId: string; readonly arn: Promise<string> } | undefined;

  const late = () => new ImdsgateError("STS_UNAVAILABLE", `GetCallerIdentity had no answer within ${CALLER_MS / 1_000} s`);
  const askForArn = (base: BaseCredentials, region: string): Promise<string> => {
    const deadline = { clock, ms: CALLER_MS, signal: ending, late };
    const arn = withDeadline(deadline, (signal) => sts.callerArn(base, region, signal));
    const asked = { accessKeyId: base.accessKeyId, arn };
    known = asked;
    arn.catch(() => {
      if (known === asked) known = undefined;
    });
    return arn;
  };
  /** One question for all who ask meanwhile: no one of them ends it. */
  const callerArn = (base: BaseCredentials, region: string): Promise<string> =>
    known?.accessKeyId === base.accessKeyId ? known.arn : askForArn(base, region);
  const isToBeTold = (roleArn: string): boolean => {
    const now = clock.now();
    if (!hasPassed(toldAt.get(roleArn) ?? Number.NEGATIVE_INFINITY, TELL_MS, now)) return false;
    toldAt.set(roleArn, now);
    return true;
  };
  const tell = async (use: RoleUse, base: BaseCredentials, region: string): Promise<void> => {
    const caller = await callerArn(base, region).catch(() => undefined);
    if (!ending.aborted) emit({ kind: "role-refused", ...trustAdviceFor(use, caller) });
  };

  return {
    async assumeRole(request, base, region, signal) {
      try {
        return await sts.assumeRole(request, base, region, signal);
      } catch (error) {
        if (hasCode(error, "STS_DENIED") && isToBeTold(request.roleArn)) void tell(useOf(request), base, region);
        throw error;
      }
    },
    callerArn,
  };
}

function useOf({ roleArn, externalId, tags, sourceIdentity }: AssumeRoleRequest): RoleUse {
  return { roleArn, externalId, hasTags: tags.length > 0, hasSourceIdentity: sourceIdentity !== undefined };
}
