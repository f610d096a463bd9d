import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { attackBytes } from "../../src/selftest/attack.ts";
import { CORPUS } from "../../src/selftest/corpus.ts";
import { runSelftest } from "../../src/selftest/selftest.ts";
import { isInCredentialTree } from "../../src/sim/imds-path.ts";
import { startFuzzStage } from "../fuzz/fuzz-stage.ts";
import { HOST_MARKER, SPEAKERS } from "../fuzz/speakers.ts";
import { rawRequest } from "../support/raw-request.ts";
import { GOOD_TOKEN, testImds } from "../support/sims.ts";

const HOST_ROLE = `${HOST_MARKER}-instance-role`;

async function startStage() {
  const stage = await startFuzzStage();
  onTestFinished(() => stage[Symbol.asyncDispose]());
  return stage;
}

describe("the corpus", () => {
  test("has at least 150 attacks, each with a name of its own", () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(150);
    expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
  });

  test("is answered by a service that can be fooled as each attack says, most of it with the host's credentials", async () => {
    const imds = await testImds({ behaviour: "victim", leakMarker: HOST_MARKER });
    const answered = await Promise.all(
      CORPUS.map(async (attack) => {
        const { bytes } = await rawRequest(imds.endpoint, attackBytes(attack, HOST_ROLE, GOOD_TOKEN));
        const text = bytes.toString("latin1");
        return [attack.name, text.includes(HOST_MARKER) ? "leak" : Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])];
      }),
    );
    expect(answered).toEqual(CORPUS.map(({ name, unguarded }) => [name, unguarded]));
    expect(answered.filter(([, what]) => what === "leak").length).toBeGreaterThan(CORPUS.length / 2);
  });
});

describe.for(["optional", "required"] as const)("with IMDS tokens %s, through the gateway", (tokenUse) => {
  test.for(SPEAKERS)("nothing leaks to $name, and each attack is answered as the contract says", async (speaker) => {
    const stage = await startStage();
    stage.setTokenUse(tokenUse);
    const line = { gateway: stage.gateway, from: speaker.addresses[0], clock: systemClock };
    const result = await runSelftest({ line, attacks: CORPUS, hostRole: HOST_ROLE, signal: new AbortController().signal });
    expect(result?.verdicts.filter(({ verdict }) => verdict.kind !== "held")).toEqual([]);
    expect(result?.verdicts.length).toBe(CORPUS.length);
    expect(result?.own.name).toBe({ alpha: "alpha-role", beta: "beta-role" }[speaker.name]);
    const { seen, bugs } = stage.takeRecord();
    expect(seen.filter(({ lenientSegments }) => isInCredentialTree(lenientSegments)).map(({ target }) => target)).toEqual([]);
    expect(bugs).toEqual([]);
  });
});
