import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { BASE, eventsOf, MINUTE, pass } from "./scripted.ts";
import { ROOT, startBase } from "./scripted-base.ts";
import { documentOf, TOKEN_QUESTION } from "./scripted-imds.ts";

describe("our own credentials", () => {
  test("are the operator's where he gives any, and IMDS is not asked", async () => {
    const { base, imds, events } = startBase({ operator: async () => BASE });
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

  test("are loaded once for many who ask, by whatever way they came to the question", async () => {
    const { base, timesAsked } = startBase();
    const { current } = base;
    await Promise.all([base.current(), current(), current()]);
    await base.current();
    expect(timesAsked()).toBe(1);
  });

  test("are loaded anew five minutes before they end, and nobody waits for that", async () => {
    const { base, clock, imds, serve, timesAsked } = startBase();
    await base.current();
    await pass(clock, 55 * MINUTE - 1);
    serve(60, 2);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    expect(timesAsked()).toBe(1);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const prompt = imds.ask;
    imds.ask = async (...question) => {
      await held;
      return await prompt(...question);
    };
    await pass(clock, 1);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    expect(timesAsked()).toBe(2);
    release();
    await pass(clock, 0);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST2" });
    expect(timesAsked()).toBe(2);
  });

  test("are waited for when the last ones have ended", async () => {
    const { base, clock, serve } = startBase();
    await base.current();
    await pass(clock, 60 * MINUTE);
    serve(60, 2);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST2" });
  });

  test("are loaded anew unasked while it runs", async () => {
    const { base, clock, serve, running, timesAsked, troubles } = startBase();
    const stop = running();
    await base.current();
    for (let serial = 2; serial <= 4; serial += 1) {
      serve(115, serial);
      await pass(clock, 55 * MINUTE - 1);
      expect(timesAsked()).toBe(serial - 1);
      await pass(clock, 1);
      expect(timesAsked()).toBe(serial);
    }
    await stop();
    expect([clock.untilNext(), troubles()]).toEqual([undefined, []]);
    await pass(clock, 300 * MINUTE);
    expect(timesAsked()).toBe(4);
  });

  test("are looked for every half minute while IMDS has no newer ones, which is told when it is late", async () => {
    const { base, clock, serve, running, timesAsked, events, troubles } = startBase();
    running();
    await base.current();
    await pass(clock, 56 * MINUTE - 1);
    expect([timesAsked(), troubles()]).toEqual([3, []]);
    await pass(clock, 2 * MINUTE);
    expect(troubles()).toEqual([4, 3].map((minutes) => ({ message: "instance role host has no newer ones", leftMs: minutes * MINUTE })));
    serve(60, 2);
    await pass(clock, MINUTE);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST2" });
    expect(eventsOf(events, "base-credentials").map(({ accessKeyId }) => accessKeyId)).toEqual(["ASIAHOST1", "ASIAHOST2"]);
  });

  test("stay the same object while they are the same, so that the connection to STS is kept", async () => {
    const { base, clock } = startBase({ operator: async () => ({ ...BASE }) });
    const first = await base.current();
    await pass(clock, MINUTE);
    expect(await base.renewed(first)).toBe(first);
  });

  test("are used to their end when they can not be loaded anew, which is told once a minute with the time left, and no further", async () => {
    const { base, clock, imds, running, troubles } = startBase();
    running();
    await base.current();
    imds.tokenStatus = 503;
    await pass(clock, 60 * MINUTE - 1);
    expect(await base.current()).toMatchObject({ accessKeyId: "ASIAHOST1" });
    const message = expect.stringMatching(/^imdsgate has no credentials of its own: the upstream IMDS answered PUT .* with status 503/);
    expect(troubles()).toEqual([5, 4, 3, 2, 1].map((minutes) => ({ message, leftMs: minutes * MINUTE })));
    await pass(clock, 1);
    await expect(base.current()).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(troubles().at(-1)).toEqual({ message, leftMs: 0 });
  });

  test("that were never there are told once a minute, however many ask", async () => {
    const { base, clock, imds, troubles } = startBase();
    imds.isDown = true;
    for (let second = 0; second < 120; second += 1) {
      await base.current().catch(() => {});
      await pass(clock, 1_000);
    }
    expect(troubles()).toEqual([0, 1].map(() => ({ message: "imdsgate has no credentials of its own: down", leftMs: undefined })));
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

  test("that STS goes on refusing are loaded anew every half minute, and not at each refusal", async () => {
    const { base, clock, timesAsked } = startBase();
    const refused = await base.current();
    expect(await base.renewed(refused)).toBe(refused);
    await pass(clock, 29_999);
    expect(await base.renewed(refused)).toBeUndefined();
    expect(timesAsked()).toBe(2);
    await pass(clock, 1);
    expect(await base.renewed(refused)).toBe(refused);
    expect(timesAsked()).toBe(3);
  });

  test("are waited for ten seconds at most", async () => {
    const { base, clock } = startBase({ operator: () => new Promise(() => {}) });
    const asked = base.current().catch((error: unknown) => error);
    await setImmediate();
    await pass(clock, 10_000);
    expect(await asked).toMatchObject({
      code: "BASE_CREDENTIALS_UNAVAILABLE",
      message: "imdsgate has no credentials of its own: there was no answer within 10 s",
    });
  });

  test("that hang at a provider end the question to it, and the next one is a new one", async () => {
    const signals: AbortSignal[] = [];
    const { base, clock } = startBase({
      operator: (signal) => {
        signals.push(signal);
        return signals.length < 3 ? new Promise(() => {}) : Promise.resolve(BASE);
      },
    });
    for (let tries = 1; tries < 3; tries += 1) {
      const failed = base.current().catch(({ code }: ImdsgateError) => code);
      await pass(clock, 10_000);
      expect([await failed, signals.map(({ aborted }) => aborted)]).toEqual(["BASE_CREDENTIALS_UNAVAILABLE", Array(tries).fill(true)]);
    }
    expect(await base.current()).toBe(BASE);
  });

  test("end what is under way when they are not wanted any more, and tell nothing of that", async () => {
    let signal: AbortSignal | undefined;
    const { base, running, clock, troubles } = startBase({
      operator: (given) => {
        signal = given;
        return new Promise(() => {});
      },
    });
    const stop = running();
    const asked = base.current().catch(({ code }: ImdsgateError) => code);
    await stop();
    expect([await asked, signal?.aborted, clock.untilNext(), troubles()]).toEqual(["BASE_CREDENTIALS_UNAVAILABLE", true, undefined, []]);
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
    const { base, imds } = startBase({ operator: () => Promise.reject(failure) });
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
