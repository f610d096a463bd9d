import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { ImdsClient } from "../imds-client.ts";
import type { BaseCredentials } from "./assume-role.ts";
import { instanceRoleCredentials } from "./instance-role.ts";

/** The keys that imdsgate speaks to STS with. Both reject with BASE_CREDENTIALS_UNAVAILABLE. */
export interface BaseCredentialSource {
  /** Loaded anew 5 minutes before they end (docs/contract.md, S8). */
  current(): Promise<BaseCredentials>;
  /** Others than `refused`, or the same ones loaded anew. */
  renewed(refused: BaseCredentials): Promise<BaseCredentials>;
}

export interface BaseCredentialParts {
  readonly operatorCredentials: () => Promise<BaseCredentials | undefined>;
  readonly imds: ImdsClient;
  readonly clock: Clock;
  readonly emit: Emit;
}

const EARLY_MS = 5 * 60_000;
/** How long a call to STS waits for them. */
const WAIT_MS = 5_000;
/** Six steps to IMDS or one to an SDK provider, each with its own limit; this one is for what hangs nevertheless. */
const LOAD_MS = 10_000;

/** Keys that the operator gives come first, then the instance's own role. Nothing is loaded before it is asked for. */
export function createBaseCredentials(given: BaseCredentialParts): BaseCredentialSource {
  const parts = { ...given, operatorCredentials: oneAtATime(given.operatorCredentials) };
  let held: BaseCredentials | undefined;
  let flight: Promise<BaseCredentials> | undefined;

  const load = (): Promise<BaseCredentials> => {
    flight ??= loadOnce(parts)
      .then((loaded) => {
        held = loaded;
        return loaded;
      })
      .finally(() => {
        flight = undefined;
      });
    return flight;
  };

  return {
    async current() {
      const kept = held;
      const leftMs = kept ? (kept.expiresAt ?? Number.POSITIVE_INFINITY) - parts.clock.now() : 0;
      if (kept && leftMs > EARLY_MS) return kept;
      if (!kept || leftMs <= 0) return await load();
      return await load().catch(() => kept);
    },
    async renewed(refused) {
      return held && held !== refused ? held : await load();
    },
  };
}

/** What `load` gives, waited for 5 s at most. Rejects with BASE_CREDENTIALS_UNAVAILABLE then, or when `signal` aborts. */
export function baseInTime(load: () => Promise<BaseCredentials>, clock: Clock, signal: AbortSignal): Promise<BaseCredentials> {
  return withDeadline({ clock, ms: WAIT_MS, signal, late: () => unavailable(`none came within ${WAIT_MS / 1_000} s`) }, load);
}

/** An SDK provider cannot be stopped: who comes while one hangs waits for that one, however long ago it was called. */
function oneAtATime<T>(load: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () => {
    underWay ??= load().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

async function loadOnce({ operatorCredentials, imds, clock, emit }: BaseCredentialParts): Promise<BaseCredentials> {
  const late = () => unavailable(`there was no answer within ${LOAD_MS / 1_000} s`);
  const deadline = { clock, ms: LOAD_MS, signal: new AbortController().signal, late };
  const loaded = await withDeadline(
    deadline,
    async (signal) => (await operatorCredentials()) ?? (await instanceRoleCredentials(imds, signal)),
  ).catch((cause: unknown) => {
    throw hasCode(cause, "UPSTREAM_UNAVAILABLE") ? unavailable(cause.message, cause) : cause;
  });
  if (loaded.expiresAt !== undefined && loaded.expiresAt <= clock.now()) throw unavailable(`those of ${loaded.source} have expired`);
  emit({ kind: "base-credentials", source: loaded.source, accessKeyId: loaded.accessKeyId, expiresAt: loaded.expiresAt });
  return loaded;
}

function unavailable(why: string, cause?: unknown): ImdsgateError {
  return new ImdsgateError("BASE_CREDENTIALS_UNAVAILABLE", `imdsgate has no credentials of its own: ${why}`, { cause });
}
