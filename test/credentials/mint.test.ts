import { describe, expect, test } from "vitest";
import type { BaseCredentials } from "../../src/credentials/assume-role.ts";
import { noBaseCredentials } from "../../src/credentials/load-base-credentials.ts";
import { createMint, type MintCall } from "../../src/credentials/mint.ts";
import { ImdsgateError } from "../../src/errors.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, BASE_REFUSED, DENIED, eventsOf, grantOf, pass, requestOf, scriptedSts } from "./scripted.ts";

const TOO_LONG = new ImdsgateError("STS_INVALID", "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit");
const RENEWED: BaseCredentials = { ...BASE, accessKeyId: "AKIARENEWEDRENEWED00" };

interface Wanted {
  readonly region?: string;
  readonly isRegionKnown?: boolean;
  /** What there is in the place of refused credentials. */
  readonly others?: BaseCredentials | undefined;
  readonly turn?: MintCall["turn"];
}

function startMint({ region = "eu-central-1", isRegionKnown = true, others, turn = async () => undefined }: Wanted = { others: RENEWED }) {
  const clock = handMovedClock();
  const sts = scriptedSts(clock);
  const events: ImdsgateEvent[] = [];
  const refusedBases: BaseCredentials[] = [];
  const base = {
    current: async () => BASE,
    async renewed(refused: BaseCredentials) {
      refusedBases.push(refused);
      return others;
    },
  };
  const hostFacts = () => ({ region: isRegionKnown ? region : undefined, partition: "aws", account: undefined });
  const mint = createMint({ sts, base, hostFacts, clock, emit: (event) => events.push(event) });
  const ended = new AbortController();
  return {
    clock,
    base,
    sts,
    events,
    refusedBases,
    ended,
    mint: (grant = grantOf()) => mint(grant, { purpose: "request", turn, signal: ended.signal }),
  };
}

describe("minting a lease", () => {
  test("asks STS for all that the grant says, and tells the call", async () => {
    const { clock, sts, events, mint } = startMint();
    expect(await mint(grantOf({ externalId: "partner-7f3a" }))).toEqual({
      roleArn: "arn:aws:iam::111122223333:role/app",
      sessionName: "web-9f2c4e5a6b7c",
      accessKeyId: "ASIA0000000000000001",
      secretAccessKey: "secretAccessKeyOfTheTests1",
      sessionToken: "sessionTokenOfTheTests1",
      issuedAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
    });
    const request = requestOf({ externalId: "partner-7f3a" });
    expect(sts.calls).toEqual([{ request, base: BASE, region: "eu-central-1", at: clock.now() }]);
    expect(events).toEqual([
      {
        kind: "sts-call",
        roleArn: request.roleArn,
        sessionName: request.sessionName,
        outcome: "ok",
        purpose: "request",
        waitedFor: undefined,
        waitedMs: 0,
        durationMs: 0,
        accessKeyId: "ASIA0000000000000001",
        message: undefined,
      },
    ]);
  });

  test("takes a lease to last no longer than was asked for, by our own clock: that of STS may be ahead", async () => {
    const { clock, sts, mint } = startMint();
    sts.always = { expiresAt: clock.now() + 70 * 60_000 };
    expect(await mint()).toMatchObject({ expiresAt: clock.now() + 60 * 60_000 });
    sts.always = { expiresAt: clock.now() + 50 * 60_000 };
    expect(await mint()).toMatchObject({ expiresAt: clock.now() + 50 * 60_000 });
  });

  test("takes no answer that is for another role", async () => {
    const { sts, events, mint } = startMint();
    sts.always = { assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/admin/web-9f2c4e5a6b7c" };
    await expect(mint()).rejects.toMatchObject({ code: "STS_ANSWER_BAD" });
    expect(eventsOf(events, "sts-call").map(({ outcome, accessKeyId }) => ({ outcome, accessKeyId }))).toEqual([
      { outcome: "answer-bad", accessKeyId: undefined },
    ]);
  });

  test("fails after five seconds without an answer", async () => {
    const { clock, sts, mint } = startMint();
    sts.always = "hang";
    const minted = mint().catch((error: unknown) => error);
    await pass(clock, 5_000);
    expect(await minted).toMatchObject({
      code: "STS_UNAVAILABLE",
      message: "AssumeRole for arn:aws:iam::111122223333:role/app had no answer within 5 s",
    });
    expect(clock.untilNext()).toBeUndefined();
  });

  test("needs to know the Region, and calls nothing a call without it", async () => {
    const { sts, events, mint } = startMint({ isRegionKnown: false });
    await expect(mint()).rejects.toMatchObject({ code: "HOST_FACTS_UNKNOWN" });
    expect([sts.calls, events]).toEqual([[], []]);
  });

  test("ends without a word when it is stopped", async () => {
    const { sts, events, ended, mint } = startMint();
    sts.always = "hang";
    const minted = mint().catch((error: unknown) => error);
    ended.abort();
    expect(await minted).toBeInstanceOf(ImdsgateError);
    expect(events).toEqual([]);
  });
});

describe("the turns of calls", () => {
  test("are one for each: that for an hour, and that with renewed keys, too", async () => {
    let turns = 0;
    const turn = async () => {
      turns += 1;
      return { for: "budget" as const, ms: 100 * turns };
    };
    const { sts, events, mint } = startMint({ others: RENEWED, turn });
    sts.turns.push(TOO_LONG, BASE_REFUSED);
    await mint(grantOf({ durationSeconds: 7200 }));
    expect([turns, sts.calls.length]).toEqual([3, 3]);
    expect(eventsOf(events, "sts-call").map(({ outcome, waitedMs, waitedFor }) => ({ outcome, waitedMs, waitedFor }))).toEqual([
      { outcome: "invalid", waitedMs: 100, waitedFor: "budget" },
      { outcome: "base-refused", waitedMs: 200, waitedFor: "budget" },
      { outcome: "ok", waitedMs: 300, waitedFor: "budget" },
    ]);
  });

  test("are waited for, and without one there is no call and no word", async () => {
    const { sts, events, mint } = startMint({ turn: () => Promise.reject(new Error("nobody wants it")) });
    await expect(mint()).rejects.toThrow("nobody wants it");
    expect([sts.calls, events]).toEqual([[], []]);
  });

  test("are followed by calls with the credentials of that moment", async () => {
    const { base, sts, mint } = startMint({
      turn: async () => {
        base.current = async () => RENEWED;
        return undefined;
      },
    });
    await mint();
    expect(sts.calls.map((call) => call.base)).toEqual([RENEWED]);
  });

  test("are not taken without credentials of our own, and that is told", async () => {
    let turns = 0;
    const turn = async () => {
      turns += 1;
      return undefined;
    };
    const { base, events, mint } = startMint({ turn });
    base.current = () => Promise.reject(noBaseCredentials("none"));
    await expect(mint()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect([turns, eventsOf(events, "sts-call").map(({ outcome }) => outcome)]).toEqual([0, ["unavailable"]]);
  });
});

describe("a role that STS gives an hour at most", () => {
  test("is asked for again with an hour, and from then on at once", async () => {
    const { sts, mint } = startMint();
    sts.turns.push(TOO_LONG);
    await mint(grantOf({ durationSeconds: 7200 }));
    await mint(grantOf({ durationSeconds: 7200 }));
    expect(sts.calls.map(({ request }) => request.durationSeconds)).toEqual([7200, 3600, 3600]);
  });

  test("does not shorten the sessions of other roles", async () => {
    const { sts, mint } = startMint();
    sts.turns.push(TOO_LONG);
    await mint(grantOf({ durationSeconds: 7200 }));
    await mint(grantOf({ durationSeconds: 7200, roleName: "other" }));
    expect(sts.calls.map(({ request }) => request.durationSeconds)).toEqual([7200, 3600, 7200]);
  });

  test("is not asked for again when an hour is refused", async () => {
    const { sts, mint } = startMint();
    sts.always = TOO_LONG;
    await expect(mint()).rejects.toBe(TOO_LONG);
    expect(sts.calls).toHaveLength(1);
  });
});

describe("credentials of our own that STS refuses", () => {
  test("are loaded anew and tried once more", async () => {
    const { sts, events, refusedBases, mint } = startMint();
    sts.turns.push(BASE_REFUSED);
    await mint();
    expect(sts.calls.map(({ base }) => base)).toEqual([BASE, RENEWED]);
    expect(refusedBases).toEqual([BASE]);
    expect(eventsOf(events, "sts-call").map(({ outcome }) => outcome)).toEqual(["base-refused", "ok"]);
  });

  test("twice in a row are a failure", async () => {
    const { sts, mint } = startMint();
    sts.always = BASE_REFUSED;
    await expect(mint()).rejects.toBe(BASE_REFUSED);
    expect(sts.calls).toHaveLength(2);
  });

  test("are not tried again while there are no others", async () => {
    const { sts, refusedBases, mint } = startMint({ others: undefined });
    sts.always = BASE_REFUSED;
    await expect(mint()).rejects.toBe(BASE_REFUSED);
    expect(refusedBases).toEqual([BASE]);
    expect(sts.calls).toHaveLength(1);
  });

  test("are not the reason of a denial", async () => {
    const { sts, refusedBases, mint } = startMint();
    sts.always = DENIED;
    await expect(mint()).rejects.toBe(DENIED);
    expect(refusedBases).toEqual([]);
  });
});
