import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { BaseCredentials } from "../../src/credentials/assume-role.ts";
import { createBaseCredentials } from "../../src/credentials/base-credentials.ts";
import { ImdsgateError } from "../../src/errors.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { BASE, MINUTE, pass } from "./scripted.ts";
import { documentOf, scriptedImds, TOKEN_QUESTION } from "./scripted-imds.ts";

const ROOT = "/latest/meta-data/iam/security-credentials/";

function startBase(operator: () => Promise<BaseCredentials | undefined> = async () => undefined) {
  const clock = handMovedClock();
  const imds = scriptedImds();
  const serve = (lifeMinutes: number, serial: number) => {
    imds.items.set(ROOT, "host");
    imds.items.set(`${ROOT}host`, documentOf(serial, clock.now() + lifeMinutes * MINUTE));
  };
  serve(60, 1);
  const events: ImdsgateEvent[] = [];
  let asked = 0;
  const operatorCredentials = () => {
    asked += 1;
    return operator();
  };
  const base = createBaseCredentials({ operatorCredentials, imds, clock, emit: (event) => events.push(event) });
  return { clock, imds, events, base, serve, timesAsked: () => asked };
}

describe("our own credentials", () => {
  test("are the operator's where he gives any, and IMDS is not asked", async () => {
    const { base, imds, events } = startBase(async () => BASE);
    expect(await base.current()).toBe(BASE);
    expect(imds.questions).toEqual([]);
    expect(events).toEqual([{ kind: "base-credentials", source: "environment", accessKeyId: BASE.accessKeyId, expiresAt: undefined }]);
  });

  test("are else those of the instance's role, by IMDSv2 alone", async () => {
    const { base, imds, clock } = startBase();
    expect(await base.current()).toEqual({
      accessKeyId: "ASIAHOST1",
      secretAccessKey: "hostSecret1",
      sessionToken: "hostToken1",
      expiresAt: clock.now() + 60 * MINUTE,
      source: "instance role host",
    });
    expect(imds.questions).toEqual([TOKEN_QUESTION, `GET ${ROOT} with TOKEN`, `GET ${ROOT}host with TOKEN`]);
  });

  test("are loaded once for many who ask", async () => {
    const { base, timesAsked } = startBase();
    await Promise.all([base.current(), base.current(), base.current()]);
    await base.current();
    expect(timesAsked()).toBe(1);
  });

  test("are loaded anew five minutes before they end", async () => {
    const { base, clock, serve, timesAsked } = startBase();
    await base.current();
    await pass(clock, 55 * MINUTE - 1);
    serve(60, 2);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    expect(timesAsked()).toBe(1);
    await pass(clock, 1);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST2" });
  });

  test("are used to their end when they can not be loaded anew, and no further", async () => {
    const { base, clock, imds } = startBase();
    await base.current();
    imds.tokenStatus = 503;
    await pass(clock, 59 * MINUTE);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    await pass(clock, MINUTE);
    await expect(base.current()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
  });

  test("that STS refused are loaded anew, once for all who were refused", async () => {
    const { base, serve, timesAsked } = startBase();
    const refused = await base.current();
    serve(60, 2);
    const [renewed, same] = await Promise.all([base.renewed(refused), base.renewed(refused)]);
    expect(renewed).toMatchObject({ accessKeyId: "ASIAHOST2" });
    expect(same).toBe(renewed);
    expect(await base.renewed(refused)).toBe(renewed);
    expect(timesAsked()).toBe(2);
  });

  test("are waited for ten seconds at most", async () => {
    const { base, clock } = startBase(() => new Promise(() => {}));
    const asked = base.current().catch((error: unknown) => error);
    await setImmediate();
    await pass(clock, 10_000);
    expect(await asked).toMatchObject({
      code: "BASE_CREDENTIALS_UNAVAILABLE",
      message: "imdsgate has no credentials of its own: there was no answer within 10 s",
    });
  });

  test("are asked of a provider that hangs no second time", async () => {
    const answer = Promise.withResolvers<BaseCredentials>();
    const { base, clock, timesAsked } = startBase(() => answer.promise);
    for (let tries = 0; tries < 3; tries += 1) {
      const failed = base.current().catch(({ code }: ImdsgateError) => code);
      await pass(clock, 10_000);
      expect([await failed, timesAsked()]).toEqual(["BASE_CREDENTIALS_UNAVAILABLE", 1]);
    }
    const asked = base.current();
    answer.resolve(BASE);
    expect([await asked, timesAsked()]).toEqual([BASE, 1]);
  });

  test("that hang at IMDS end the question to it", async () => {
    const { base, imds, clock } = startBase();
    let signal: AbortSignal | undefined;
    imds.ask = (_question, given) => {
      signal = given;
      return new Promise(() => {});
    };
    const failed = base.current().catch(({ code }: ImdsgateError) => code);
    await pass(clock, 10_000);
    expect([await failed, signal?.aborted]).toEqual(["BASE_CREDENTIALS_UNAVAILABLE", true]);
  });

  test("that the operator configured and that fail are not replaced by the instance's", async () => {
    const failure = new ImdsgateError("BASE_CREDENTIALS_UNAVAILABLE", "the SSO session has expired");
    const { base, imds } = startBase(() => Promise.reject(failure));
    await expect(base.current()).rejects.toBe(failure);
    expect(imds.questions).toEqual([]);
  });
});

describe("the instance's role", () => {
  test.for([400, 403, 404, 405, 500, 503])("is never asked for by IMDSv1, also when the token is refused with %d", async (status) => {
    const { base, imds } = startBase();
    imds.tokenStatus = status;
    await expect(base.current()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(imds.questions).toEqual([TOKEN_QUESTION]);
  });

  test.for([
    { title: "no role", listing: undefined, document: undefined },
    { title: "an empty listing", listing: "", document: undefined },
    { title: "a role name that leads elsewhere", listing: "../../user-data", document: documentOf(1, Date.UTC(2026, 10, 24, 4)) },
    { title: "no document", listing: "host", document: undefined },
    { title: "a document that is not JSON", listing: "host", document: "<html>" },
    { title: "an error document", listing: "host", document: '{"Code":"AssumeRoleUnauthorizedAccess","Message":"no"}' },
    { title: "a document without a key", listing: "host", document: documentOf(1, Date.UTC(2026, 10, 24, 4)).replace("hostSecret1", "") },
    { title: "an end that is no time", listing: "host", document: documentOf(1, 0).replace("1970", "soon") },
    { title: "an end that has passed", listing: "host", document: documentOf(1, Date.UTC(2026, 10, 24, 1)) },
  ])("is unavailable with $title", async ({ listing, document }) => {
    const { base, imds } = startBase();
    imds.items.clear();
    if (listing !== undefined) imds.items.set(ROOT, listing);
    if (listing !== undefined && document !== undefined) imds.items.set(`${ROOT}${listing}`, document);
    await expect(base.current()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
  });
});
