import { type Clock, sleep } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { ImdsgateError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { ImdsClient } from "../imds-client.ts";
import type { HostFacts } from "../policy/decide.ts";
import type { Sts } from "./assume-role.ts";
import { backoffMs } from "./backoff.ts";
import { type BaseCredentialSource, baseInTime } from "./base-credentials.ts";
import { openImdsSession } from "./imds-session.ts";
import { partitionOf } from "./partition.ts";

export interface HostFactsParts {
  /** From the configuration; what is given is not looked up. */
  readonly region: string | undefined;
  readonly account: string | undefined;
  /** Whether any binding has a bare role name. */
  readonly isAccountNeeded: boolean;
  readonly imds: ImdsClient;
  readonly base: BaseCredentialSource;
  readonly sts: Sts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: Emit;
}

/** Where this host is, as far as it is known by now. */
export interface HostFactsSource {
  current(): HostFacts;
  /** Looks up what is missing, again and again with backoff. Ends when all is known, or when `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const CALL_MS = 5_000;
/** Two questions to IMDS, each with its own limits; this one is for what hangs nevertheless. */
const REGION_MS = 10_000;

/** Region: as given, else the upstream's placement/region. Account: as given, else that of imdsgate's own credentials. */
export function createHostFacts(parts: HostFactsParts): HostFactsSource {
  let facts: HostFacts = {
    region: parts.region,
    account: parts.account,
    partition: parts.region === undefined ? undefined : partitionOf(parts.region),
  };

  const missing = (): "region" | "account" | undefined => {
    if (facts.region === undefined) return "region";
    return facts.account === undefined && parts.isAccountNeeded ? "account" : undefined;
  };
  /** Whether the fact is known now; if not, it is told why. */
  const lookUp = async (fact: "region" | "account", signal: AbortSignal): Promise<boolean> => {
    try {
      facts = { ...facts, ...(facts.region === undefined ? await placeOf(parts, signal) : await callerOf(parts, facts.region, signal)) };
      return true;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!signal.aborted) parts.emit({ kind: "host-facts-missing", missing: fact, message });
      return false;
    }
  };

  return {
    current: () => facts,
    async run(signal) {
      let failures = 0;
      for (let fact = missing(); fact !== undefined && !signal.aborted; fact = missing()) {
        failures = (await lookUp(fact, signal)) ? 0 : failures + 1;
        if (failures > 0) await sleep(parts.clock, backoffMs(failures, parts.random), signal);
      }
      if (facts.region !== undefined && !missing()) parts.emit({ kind: "host-facts", region: facts.region, account: facts.account });
    },
  };
}

/** Region and partition of the instance that the upstream speaks for. */
async function placeOf({ imds, clock }: HostFactsParts, signal: AbortSignal): Promise<Partial<HostFacts>> {
  const late = () =>
    new ImdsgateError("HOST_FACTS_UNKNOWN", `the upstream IMDS named no Region within ${REGION_MS / 1_000} s; set --region`);
  const region = await withDeadline({ clock, ms: REGION_MS, signal, late }, async (ended) => {
    const read = await openImdsSession(imds, ended);
    return read("/latest/meta-data/placement/region");
  });
  if (region !== undefined && /^[a-z]{2,8}(-[a-z0-9]{1,16}){1,4}$/.test(region)) return { region, partition: partitionOf(region) };
  throw new ImdsgateError("HOST_FACTS_UNKNOWN", "the upstream IMDS names no Region; set --region");
}

/** Account and partition of the caller: `arn:aws:sts::111122223333:assumed-role/host/i-0abc`. */
async function callerOf({ sts, base, clock }: HostFactsParts, region: string, signal: AbortSignal): Promise<Partial<HostFacts>> {
  const late = () => new ImdsgateError("STS_UNAVAILABLE", `GetCallerIdentity had no answer within ${CALL_MS / 1_000} s`);
  const credentials = await baseInTime(base.current, clock, signal);
  const arn = await withDeadline({ clock, ms: CALL_MS, signal, late }, (ended) => sts.callerArn(credentials, region, ended));
  const [, partition, account] = /^arn:(aws[a-z-]*):(?:iam|sts)::(\d{12}):/.exec(arn) ?? [];
  if (partition === undefined || account === undefined) {
    throw new ImdsgateError("STS_ANSWER_BAD", "GetCallerIdentity did not answer with the ARN of a caller; check --sts-endpoint");
  }
  return { partition, account };
}
