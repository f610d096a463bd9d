import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { ImdsClient } from "../imds-client.ts";
import type { BaseCredentials } from "./assume-role.ts";
import { instanceRoleCredentials } from "./instance-role.ts";

/** Undefined when none is configured. Rejects with BASE_CREDENTIALS_UNAVAILABLE when one is and fails, or is under way when the signal aborts. */
export type OperatorCredentials = (signal: AbortSignal) => Promise<BaseCredentials | undefined>;

/** Where imdsgate's own credentials can come from. */
export interface BaseCredentialPlaces {
  readonly operatorCredentials: OperatorCredentials;
  readonly imds: ImdsClient;
  readonly clock: Clock;
}

/** Six steps to IMDS or one to an SDK provider, each with its own limit; this one is for what hangs nevertheless. */
const LOAD_MS = 10_000;

/** Those that the operator gives, else those of the instance's own role. Rejects with BASE_CREDENTIALS_UNAVAILABLE, in 10 s at most. */
export async function loadBaseCredentials(places: BaseCredentialPlaces, ended: AbortSignal): Promise<BaseCredentials> {
  const { operatorCredentials, imds, clock } = places;
  const late = () => noBaseCredentials(`there was no answer within ${LOAD_MS / 1_000} s`);
  const loaded = await withDeadline(
    { clock, ms: LOAD_MS, signal: ended, late },
    async (signal) => (await operatorCredentials(signal)) ?? (await instanceRoleCredentials(imds, signal)),
  ).catch((cause: unknown) => {
    throw hasCode(cause, "UPSTREAM_UNAVAILABLE") ? noBaseCredentials(cause.message, cause) : cause;
  });
  if (loaded.expiresAt !== undefined && loaded.expiresAt <= clock.now()) throw noBaseCredentials(`those of ${loaded.source} have expired`);
  return loaded;
}

/** The failure of all who needed them. */
export function noBaseCredentials(why: string, cause?: unknown): ImdsgateError {
  return new ImdsgateError("BASE_CREDENTIALS_UNAVAILABLE", `imdsgate has no credentials of its own: ${why}`, { cause });
}
