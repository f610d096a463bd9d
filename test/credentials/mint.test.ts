import { describe, expect, test } from "vitest";
import type { BaseCredentials } from "../../src/credentials/assume-role.ts";
import { createMint } from "../../src/credentials/mint.ts";
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
}

function startMint({ region = "eu-central-1", isRegionKnown = true, others }: Wanted = { others: RENEWED }) {
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
  const held = undefined;
  return {
    clock,
    sts,
    events,
    refusedBases,
    ended,
    mint: (grant = grantOf()) => mint(grant, { purpose: "request", turn: async () => held, signal: ended.signal }),
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
        heldBy: undefined,
        heldMs: 0,
        durationMs: 0,
        accessKeyId: "ASIA0000000000000001",
        message: undefined,
      },
    ]);
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
