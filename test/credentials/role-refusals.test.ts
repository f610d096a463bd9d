import { describe, expect, test } from "vitest";
import type { AssumeRoleRequest } from "../../src/credentials/assume-role.ts";
import { withRefusalsTold } from "../../src/credentials/role-refusals.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { logLineFor } from "../../src/observability/log-line.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, DENIED, DOWN, eventsOf, MINUTE, pass, requestOf, scriptedSts, THROTTLED } from "./scripted.ts";

const HOST = "arn:aws:sts::111122223333:assumed-role/host/i-0abc";

function startRefusals() {
  const clock = handMovedClock();
  const scripted = scriptedSts(clock);
  scripted.always = DENIED;
  let timesAsked = 0;
  scripted.callerArn = async () => {
    timesAsked += 1;
    return HOST;
  };
  const events: ImdsgateEvent[] = [];
  const ending = new AbortController();
  const sts = withRefusalsTold(scripted, { clock, emit: (event) => events.push(event), ending: ending.signal });
  const assume = async (roleName = "app", base = BASE, over: Partial<AssumeRoleRequest> = {}) => {
    const outcome = await sts
      .assumeRole(
        requestOf({ roleArn: `arn:aws:iam::111122223333:role/${roleName}`, ...over }),
        base,
        "eu-central-1",
        new AbortController().signal,
      )
      .then(
        () => "ok",
        (error: unknown) => error,
      );
    await pass(clock, 0);
    return outcome;
  };
  const told = () => eventsOf(events, "role-refused").map(({ roleArn }) => roleArn.replace(/.*\//, ""));
  return { clock, scripted, sts, assume, events, told, ending, timesAsked: () => timesAsked };
}

describe("a role that STS refuses", () => {
  test("is told with the statement that is missing, as one line of the log", async () => {
    const { assume, events } = startRefusals();
    expect(await assume()).toBe(DENIED);
    const [event, ...others] = events;
    expect(others).toEqual([]);
    expect(event && logLineFor(event)).toEqual({
      level: "warn",
      isAudit: false,
      message: expect.stringMatching(
        /^arn:aws:sts::111122223333:assumed-role\/host\/i-0abc may not assume arn:aws:iam::111122223333:role\/app; its trust policy lacks: \[\{"Effect":"Allow","Principal":\{"AWS":"arn:aws:iam::111122223333:role\/host"\},"Action":"sts:AssumeRole"\}\]\. A session's ARN /,
      ),
      fields: {
        "event.name": "imdsgate.role-refused",
        "imdsgate.role_arn": "arn:aws:iam::111122223333:role/app",
        "imdsgate.caller_arn": HOST,
        "imdsgate.trust_statements":
          '[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/host"},"Action":"sts:AssumeRole"}]',
        "imdsgate.hint": expect.stringMatching(/^A session's ARN leaves out the path/),
      },
    });
  });

  test("is told once a minute, each role by itself, and the caller is asked for once", async () => {
    const { assume, clock, told, timesAsked } = startRefusals();
    for (let second = 0; second < 120; second += 10) {
      await assume("app");
      await assume("php");
      await pass(clock, 10_000);
    }
    expect(told()).toEqual(["app", "php", "app", "php"]);
    expect(timesAsked()).toBe(1);
  });

  test("is told again when the clock was set back, however far", async () => {
    const { assume, clock, told } = startRefusals();
    await assume();
    clock.leap(-60 * MINUTE);
    await assume();
    await assume();
    expect(told()).toEqual(["app", "app"]);
  });

  test("asks once who calls, for fifty roles that are refused at once", async () => {
    const { assume, clock, told, timesAsked, scripted, events } = startRefusals();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const prompt = scripted.callerArn;
    scripted.callerArn = async (...call) => {
      const arn = await prompt(...call);
      await held;
      return arn;
    };
    const all = Promise.all(Array.from({ length: 50 }, (_, number) => assume(`role-${number}`)));
    await pass(clock, 0);
    release();
    await all;
    await pass(clock, 0);
    expect([timesAsked(), told().length]).toEqual([1, 50]);
    expect(new Set(eventsOf(events, "role-refused").map(({ callerArn }) => callerArn))).toEqual(new Set([HOST]));
  });

  test("asks anew who calls after that had no answer", async () => {
    const { assume, events, scripted } = startRefusals();
    const prompt = scripted.callerArn;
    scripted.callerArn = () => Promise.reject(DOWN);
    await assume("app");
    scripted.callerArn = prompt;
    await assume("php");
    expect(eventsOf(events, "role-refused").map(({ callerArn }) => callerArn)).toEqual([undefined, HOST]);
  });

  test("is told with all that its session was to have", async () => {
    const { assume, events } = startRefusals();
    const tags = [{ key: "team", value: "web", isTransitive: false }];
    await assume("app", BASE, { externalId: "partner-7f3a", sourceIdentity: "web", tags });
    const [{ trustStatements = "" } = {}] = eventsOf(events, "role-refused");
    expect(JSON.parse(trustStatements)).toMatchObject([
      { Action: "sts:AssumeRole", Condition: { StringEquals: { "sts:ExternalId": "partner-7f3a" } } },
      { Action: ["sts:TagSession", "sts:SetSourceIdentity"] },
    ]);
  });

  test("asks anew who calls with other credentials", async () => {
    const { assume, clock, timesAsked, sts } = startRefusals();
    await assume("app");
    await pass(clock, MINUTE);
    const other = { ...BASE, accessKeyId: "AKIAOTHEROTHEROTHER0" };
    await assume("app", other);
    expect(await sts.callerArn(other, "eu-central-1", new AbortController().signal)).toBe(HOST);
    expect(timesAsked()).toBe(2);
  });

  test.for([
    { title: "does not answer", failure: () => Promise.reject(DOWN) },
    { title: "hangs", failure: () => new Promise<never>(() => {}) },
  ])("is told without a caller where GetCallerIdentity $title, and nobody waits for it", async ({ failure }) => {
    const { assume, clock, scripted, events } = startRefusals();
    scripted.callerArn = failure;
    expect(await assume()).toBe(DENIED);
    await pass(clock, 5_000);
    expect(eventsOf(events, "role-refused")).toMatchObject([{ callerArn: undefined }]);
    expect(clock.untilNext()).toBeUndefined();
  });

  test.for([
    { title: "throttles", turn: THROTTLED },
    { title: "is away", turn: DOWN },
    { title: "says yes", turn: "ok" as const },
  ])("is not told where STS $title", async ({ turn }) => {
    const { assume, scripted, events, timesAsked } = startRefusals();
    scripted.always = turn;
    expect(await assume()).toBe(turn);
    expect([events, timesAsked()]).toEqual([[], 0]);
  });

  test("is not told any more after the end, and leaves no timer", async () => {
    const { assume, scripted, events, ending, clock } = startRefusals();
    scripted.callerArn = () => new Promise(() => {});
    await assume();
    ending.abort();
    await pass(clock, MINUTE);
    expect([events, clock.untilNext()]).toEqual([[], undefined]);
  });
});
