import { expect, onTestFinished, test } from "vitest";
import { setLoopbackStage } from "../../src/demo/loopback-stage.ts";
import { createPage } from "../../src/demo/page.ts";
import { questionFor } from "../../src/demo/question.ts";
import { CREDENTIALS } from "../../src/demo/role-scenes.ts";
import type { Speaker, Stage } from "../../src/demo/stage.ts";
import { tellStory } from "../../src/demo/story.ts";
import { hasCode } from "../../src/errors.ts";

const QUIET = createPage(() => {});
const NEVER = new AbortController().signal;

async function loopbackStage(): Promise<Stage> {
  const stage = await setLoopbackStage();
  onTestFinished(() => stage[Symbol.asyncDispose]());
  return stage;
}

/** Somebody whose questions all reach the real service, as if nothing were in the way. */
function unguarded(speaker: Speaker, { imds, sts }: Stage): Speaker {
  return {
    ...speaker,
    ask: (questions) => speaker.ask(questions.map((question) => (question.to.port === sts.port ? question : { ...question, to: imds }))),
  };
}

async function faultsOf(stage: Stage): Promise<string> {
  const error: unknown = await tellStory(stage, QUIET, NEVER).then(
    () => undefined,
    (reason) => reason,
  );
  return hasCode(error, "DEMO_FAILED") ? error.message : `no DEMO_FAILED: ${String(error)}`;
}

test("a container that reaches the real service makes the demonstration fail, and is named", async () => {
  const stage = await loopbackStage();
  const faults = await faultsOf({ ...stage, containers: { ...stage.containers, cron: unguarded(stage.containers.cron, stage) } });
  expect(faults.split("\n").map((line) => line.trim())).toEqual(
    expect.arrayContaining([
      "cron, GET /latest/meta-data/iam/security-credentials/: got instead: 200 host-role",
      "leak: not so: cron saw the name of the host's role",
      "leak: not so: cron saw the secret key of the host",
      "cron: not so: asked the same questions, and got as little",
    ]),
  );
});

test("a container that speaks from another's address makes the demonstration fail", async () => {
  const stage = await loopbackStage();
  const { fluentd, cron } = stage.containers;
  const faults = await faultsOf({ ...stage, containers: { ...stage.containers, cron: { ...cron, ask: fluentd.ask } } });
  expect(faults).toContain("cron, GET /latest/meta-data/iam/security-credentials/: got instead: 200 fluentd-role");
});

test("a secret in the log makes the demonstration fail", async () => {
  const stage = await loopbackStage();
  const { fluentd } = stage.containers;
  const talkative: Speaker = {
    ...fluentd,
    async ask(questions) {
      const answers = await fluentd.ask(questions);
      const [, secret] = /"SecretAccessKey" : "([^"]+)"/.exec(answers.at(-1)?.text ?? "") ?? [];
      const to = questions[0]?.to;
      // What is refused stands in the log, with the path that was asked for.
      if (to?.port !== stage.imds.port && to && secret) await fluentd.ask([questionFor(to, `GET ${CREDENTIALS}${secret}`)]);
      return answers;
    },
  };
  const faults = await faultsOf({ ...stage, containers: { ...stage.containers, fluentd: talkative } });
  expect(faults.split("\n").map((line) => line.trim())).toContain("leak: not so: the log saw the secret key of fluentd-role");
});

test("a demonstration that is told to end asks nothing more", async () => {
  const stage = await loopbackStage();
  const asked: string[] = [];
  const counting: Speaker = {
    ...stage.containers.fluentd,
    async ask(questions) {
      asked.push(...questions.map(({ target }) => target));
      return [];
    },
  };
  const reason = new Error("Ctrl-C");
  await expect(
    tellStory({ ...stage, containers: { ...stage.containers, fluentd: counting } }, QUIET, AbortSignal.abort(reason)),
  ).rejects.toBe(reason);
  expect(asked).toEqual([]);
});

test("a question without an answer of any kind is no proof of anything", async () => {
  const stage = await loopbackStage();
  const mute: Speaker = { ...stage.containers.cron, ask: async () => [] };
  expect(await faultsOf({ ...stage, containers: { ...stage.containers, cron: mute } })).toBe("cron asked 5 questions and told 0 answers");
});
