import { onTestFinished } from "vitest";
import { type ImdsOptions, type RunningImds, startImds } from "../../src/sim/imds.ts";
import { fixedTokens } from "../../src/sim/imds-tokens.ts";
import { SIM_FACTS, SIM_INSTANCE_ARN } from "../../src/sim/instance-facts.ts";
import { type RunningSts, type StsOptions, startSts } from "../../src/sim/sts.ts";
import { handMovedClock } from "./hand-moved-clock.ts";

/** A token that `testImds` takes. */
export const GOOD_TOKEN = "AQAEAGoodTokenOfTheTestsAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A metadata service of the embedded instance on loopback, ended with the test. By default an authentic one without a role. */
export async function testImds(options: Partial<ImdsOptions> = {}): Promise<RunningImds> {
  const imds = await startImds({
    listen: LOOPBACK,
    clock: handMovedClock(),
    behaviour: "authentic",
    facts: SIM_FACTS,
    tokens: fixedTokens([GOOD_TOKEN], 21_518),
    ...options,
  });
  onTestFinished(() => imds.close());
  return imds;
}

/** An STS on loopback, ended with the test. By default everybody may assume every role, and its keys repeat from run to run. */
export async function testSts(options: Partial<StsOptions> = {}): Promise<RunningSts> {
  const sts = await startSts({
    listen: LOOPBACK,
    clock: handMovedClock(),
    random: countingRandom(),
    baseCallerArn: SIM_INSTANCE_ARN,
    ...options,
  });
  onTestFinished(() => sts.close());
  return sts;
}

/** Numbers in [0, 1) that look spread out and are the same in every run. */
function countingRandom(): () => number {
  let seed = 1;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}
