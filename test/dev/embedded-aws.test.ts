import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { developerCredentials, FAKE_MARK, startEmbeddedAws } from "../../src/dev/embedded-aws.ts";
import { SIM_INSTANCE } from "../../src/sim/instance-facts.ts";

const never = new AbortController().signal;
const KEYS = { accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: undefined, expiresAt: undefined, source: "profile" };

test("without --aws nobody's keys are looked for, so that a stand-in for STS is told none", async () => {
  const asked: string[] = [];
  const sdk = async () => {
    asked.push("asked");
    return KEYS;
  };
  expect(await developerCredentials(false, sdk)(never)).toBeUndefined();
  expect(asked).toEqual([]);
});

test("with --aws the developer's keys are taken, and none are a failure: never the embedded instance's in their place", async () => {
  expect(await developerCredentials(true, async () => KEYS)(never)).toBe(KEYS);
  const found = developerCredentials(true, async () => undefined)(never);
  await expect(found).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE", message: expect.stringContaining("aws sso login") });
});

test.for([{ hasOtherSts: true }, { hasOtherSts: false }])(
  "an embedded STS is there unless another one is: $hasOtherSts",
  async ({ hasOtherSts }) => {
    const parts = {
      instance: { ...SIM_INSTANCE, account: "999999999999" },
      httpTokens: "optional",
      clock: systemClock,
      random: () => 0.5,
    } as const;
    const aws = await startEmbeddedAws({ ...parts, hasOtherSts });
    onTestFinished(() => aws[Symbol.asyncDispose]());
    expect(aws.sts === undefined).toBe(hasOtherSts);
    if (aws.sts === undefined) return;
    const query = new URLSearchParams({ Action: "AssumeRole", RoleArn: "arn:aws:iam::999999999999:role/web", RoleSessionName: "web" });
    const headers = { Authorization: "AWS4-HMAC-SHA256 Credential=AKIA/x" };
    const answer = await (await fetch(`${aws.sts}/?${query}`, { headers })).text();
    expect(answer).toContain(`<SecretAccessKey>${FAKE_MARK}`);
  },
);
