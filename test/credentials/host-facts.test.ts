import { describe, expect, test } from "vitest";
import { createHostFacts, type HostFactsParts } from "../../src/credentials/host-facts.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, DOWN, eventsOf, pass, scriptedSts } from "./scripted.ts";
import { type ScriptedImds, scriptedImds, TOKEN_QUESTION } from "./scripted-imds.ts";

const REGION_PATH = "/latest/meta-data/placement/region";

function imdsIn(region: string): ScriptedImds {
  const imds = scriptedImds();
  imds.items.set(REGION_PATH, region);
  return imds;
}

function startHostFacts(given: Partial<HostFactsParts> = {}, imds = imdsIn("us-gov-west-1")) {
  const clock = handMovedClock();
  const sts = scriptedSts(clock);
  let timesAsked = 0;
  const events: ImdsgateEvent[] = [];
  const base = {
    async current() {
      timesAsked += 1;
      return BASE;
    },
    renewed: async () => BASE,
  };
  const parts = { region: undefined, account: undefined, isAccountNeeded: true, imds, base, sts, clock, random: () => 0.5, ...given };
  const facts = createHostFacts({ ...parts, emit: (event) => events.push(event) });
  const ending = new AbortController();
  return { clock, imds, sts, events, facts, ending, run: facts.run(ending.signal), timesAsked: () => timesAsked };
}

describe("host facts", () => {
  test("that are given are not looked up", async () => {
    const { facts, run, imds, timesAsked, events } = startHostFacts({ region: "eu-central-1", account: "111122223333" });
    await run;
    expect(facts.current()).toEqual({ region: "eu-central-1", partition: "aws", account: "111122223333" });
    expect(imds.questions).toEqual([]);
    expect(timesAsked()).toBe(0);
    expect(events).toEqual([{ kind: "host-facts", region: "eu-central-1", account: "111122223333" }]);
  });

  test("come from the upstream and from the caller", async () => {
    const { facts, run, imds, sts } = startHostFacts();
    sts.callerArn = async (_base, region) => `arn:aws-us-gov:sts::222233334444:assumed-role/host/${region}`;
    expect(facts.current()).toEqual({ region: undefined, partition: undefined, account: undefined });
    await run;
    expect(facts.current()).toEqual({ region: "us-gov-west-1", partition: "aws-us-gov", account: "222233334444" });
    expect(imds.questions).toEqual([TOKEN_QUESTION, `GET ${REGION_PATH} with TOKEN`]);
  });

  test("leave the account alone when no binding needs it", async () => {
    const { facts, run, timesAsked } = startHostFacts({ isAccountNeeded: false });
    await run;
    expect(facts.current()).toEqual({ region: "us-gov-west-1", partition: "aws-us-gov", account: undefined });
    expect(timesAsked()).toBe(0);
  });

  test("are looked up again and again, with backoff", async () => {
    const imds = imdsIn("us-gov-west-1");
    imds.isDown = true;
    const { facts, run, clock, sts, events } = startHostFacts({}, imds);
    await pass(clock, 20_000);
    expect(facts.current().region).toBeUndefined();
    imds.isDown = false;
    sts.callerArn = () => Promise.reject(DOWN);
    await pass(clock, 30_000);
    expect(facts.current()).toEqual({ region: "us-gov-west-1", partition: "aws-us-gov", account: undefined });
    sts.callerArn = async () => "arn:aws-us-gov:iam::222233334444:user/ops";
    await pass(clock, 30_000);
    await run;
    expect(facts.current().account).toBe("222233334444");
    expect(new Set(eventsOf(events, "host-facts-missing").map(({ missing, message }) => `${missing}: ${message}`))).toEqual(
      new Set(["region: down", "account: down"]),
    );
    expect(eventsOf(events, "host-facts-missing").length).toBeLessThan(20);
  });

  test.for(["<html>", "", "eu central", "-1", "x".repeat(80)])("take no Region like %j from the upstream", async (region) => {
    const { facts, run, clock, ending } = startHostFacts({}, imdsIn(region));
    await pass(clock, 5_000);
    expect(facts.current().region).toBeUndefined();
    ending.abort();
    await run;
  });

  test.for(["", "arn:aws:sts::12:assumed-role/host/i-0", "host"])("take no account from a caller %j", async (arn) => {
    const { facts, run, clock, sts, ending } = startHostFacts({ region: "eu-central-1" });
    sts.callerArn = async () => arn;
    await pass(clock, 5_000);
    expect(facts.current().account).toBeUndefined();
    ending.abort();
    await run;
    expect(clock.untilNext()).toBeUndefined();
  });

  test("do not wait for a caller's ARN longer than five seconds a try", async () => {
    const { run, clock, sts, events, ending } = startHostFacts({ region: "eu-central-1" });
    sts.callerArn = () => new Promise(() => {});
    await pass(clock, 5_000);
    expect(eventsOf(events, "host-facts-missing")).toEqual([
      { kind: "host-facts-missing", missing: "account", message: "GetCallerIdentity had no answer within 5 s" },
    ]);
    ending.abort();
    await run;
  });

  test("are not waited for when it ends while IMDS hangs", async () => {
    const imds = imdsIn("us-gov-west-1");
    const asked = Promise.withResolvers<AbortSignal | undefined>();
    imds.ask = (_question, signal) => {
      asked.resolve(signal);
      return new Promise(() => {});
    };
    const { run, ending, clock, events } = startHostFacts({}, imds);
    const signal = await asked.promise;
    ending.abort();
    await run;
    expect([signal?.aborted, clock.untilNext(), events]).toEqual([true, undefined, []]);
  });

  test("are not waited for when it ends while our own credentials are loaded", async () => {
    const base = { current: () => new Promise<never>(() => {}), renewed: async () => BASE };
    const { run, ending, clock, events } = startHostFacts({ region: "eu-central-1", base });
    ending.abort();
    await run;
    expect([clock.untilNext(), events]).toEqual([undefined, []]);
  });

  test("are given up for this time when IMDS hangs for ten seconds", async () => {
    const imds = imdsIn("us-gov-west-1");
    imds.ask = () => new Promise(() => {});
    const { run, ending, clock, events } = startHostFacts({}, imds);
    await pass(clock, 10_000);
    expect(events).toEqual([
      {
        kind: "host-facts-missing",
        missing: "region",
        message: "the upstream IMDS named no Region within 10 s; set --region",
      },
    ]);
    ending.abort();
    await run;
  });

  test.for([
    { region: "eu-central-1", partition: "aws" },
    { region: "cn-north-1", partition: "aws-cn" },
    { region: "us-gov-east-1", partition: "aws-us-gov" },
    { region: "us-iso-east-1", partition: "aws-iso" },
    { region: "us-isob-east-1", partition: "aws-iso-b" },
    { region: "us-isof-south-1", partition: "aws-iso-f" },
    { region: "eu-isoe-west-1", partition: "aws-iso-e" },
    { region: "eusc-de-east-1", partition: "aws-eusc" },
  ])("know that $region lies in $partition", ({ region, partition }) => {
    expect(startHostFacts({ region, account: "111122223333" }).facts.current().partition).toBe(partition);
  });
});
