import type { Endpoint } from "../address.ts";
import { endpointText } from "../address.ts";
import type { Clock } from "../clock.ts";
import { noBaseCredentials, type OperatorCredentials } from "../credentials/load-base-credentials.ts";
import { startImds } from "../sim/imds.ts";
import { randomTokens } from "../sim/imds-tokens.ts";
import { type EmbeddedInstance, factsOf, instanceArnOf, SIM_INSTANCE_ROLE } from "../sim/instance-facts.ts";
import { startSts } from "../sim/sts.ts";

/** Every secret of the embedded STS begins with it, so that nobody takes one for AWS's. */
export const FAKE_MARK = "FAKE+imdsgate+dev+";

const LOOPBACK: Endpoint = { host: "127.0.0.1", port: 0 };

/** What stands in for AWS on this machine. */
export interface EmbeddedAwsParts {
  readonly instance: EmbeddedInstance;
  readonly httpTokens: "optional" | "required";
  /** Whether STS is another one: a URL, or AWS's own. */
  readonly hasOtherSts: boolean;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The embedded metadata service, and the embedded STS where no other one is there. Both listen on loopback, each on a free port. */
export interface EmbeddedAws extends AsyncDisposable {
  readonly imds: Endpoint;
  /** A URL; undefined where STS is another one. */
  readonly sts: string | undefined;
}

/** Starts them. Rejects with LISTEN_FAILED. */
export async function startEmbeddedAws({ instance, httpTokens, hasOtherSts, clock, random }: EmbeddedAwsParts): Promise<EmbeddedAws> {
  await using started = new AsyncDisposableStack();
  const role = { ...SIM_INSTANCE_ROLE, account: instance.account };
  const tokens = randomTokens(random);
  const imds = started.use(
    await startImds({ listen: LOOPBACK, clock, behaviour: "authentic", facts: factsOf(instance), role, tokens, tokenUse: httpTokens }),
  );
  const baseCallerArn = instanceArnOf(instance);
  const sts = hasOtherSts ? undefined : started.use(await startSts({ listen: LOOPBACK, clock, random, baseCallerArn, canary: FAKE_MARK }));
  const all = started.move();
  return {
    imds: imds.endpoint,
    sts: sts && `http://${endpointText(sts.endpoint)}`,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/**
 * The developer's own keys where he says `--aws`, and never another's in their place: AWS would refuse those of the embedded instance, in words
 * that lead nowhere. Without `--aws` none: a stand-in for STS is not told anybody's real keys.
 */
export function developerCredentials(isAws: boolean, sdk: OperatorCredentials): OperatorCredentials {
  if (!isAws) return async () => undefined;
  return async (signal) => {
    const found = await sdk(signal);
    if (found) return found;
    throw noBaseCredentials("--aws found no keys of yours; set AWS_PROFILE, type: aws sso login, and try: aws sts get-caller-identity");
  };
}
