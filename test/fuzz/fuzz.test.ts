import { randomInt } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { fuzzInput } from "./fuzz-input.ts";
import { type FuzzReport, play, runFuzz } from "./fuzz-run.ts";
import { type Plant, startFuzzStage } from "./fuzz-stage.ts";
import { decodingConnect, startDecodingGateway } from "./planted.ts";
import { SPEAKERS } from "./speakers.ts";

const INPUTS = 10_000;

async function startStage(plant?: Plant) {
  const stage = await startFuzzStage(plant);
  onTestFinished(() => stage[Symbol.asyncDispose]());
  return stage;
}

function upTo(inputs: number) {
  return (report: FuzzReport) => report.inputs < inputs && report.finds.length === 0;
}

describe("hostile input for the whole gateway", () => {
  test.for([
    { name: "a fixed seed", seed: 20_261_124 },
    { name: "a seed of this run", seed: randomInt(2 ** 31) },
  ])(`breaks no promise in ${INPUTS} inputs of $name, $seed`, { timeout: 240_000 }, async ({ seed }) => {
    console.log(`fuzz seed ${seed}: npm run fuzz -- --minutes 1 --seed ${seed}`);
    const report = await runFuzz(await startStage(), { seed, goOn: upTo(INPUTS) });
    expect(report.finds.map(({ index, faults, input }) => ({ index, faults, bytes: input.bytes.toString("latin1") }))).toEqual([]);
    expect(report.inputs).toBeGreaterThanOrEqual(INPUTS);
    expect(report.forwarded / report.inputs).toBeGreaterThanOrEqual(0.3);
  });

  test("is the same for the same seed and number", () => {
    expect(fuzzInput(7, 42)).toEqual(fuzzInput(7, 42));
    expect(fuzzInput(7, 42)).not.toEqual(fuzzInput(8, 42));
  });
});

describe("the stage", () => {
  test("gives each container its own credentials: an answer without them shows that none were there to see", async () => {
    const stage = await startStage();
    const request = (name: string) =>
      Buffer.from(`GET /latest/meta-data/iam/security-credentials/${name}-role HTTP/1.1\r\nHost: a\r\n\r\n`);
    const faultsOf = async (asker: string, owner: string) => {
      const speaker = SPEAKERS.find(({ name }) => name === asker);
      if (!speaker) throw new Error(`there is no speaker ${asker}`);
      // whoever asks, everything that is somebody's own is forbidden here
      const all = { ...speaker, forbidden: [...new Set(SPEAKERS.flatMap(({ forbidden }) => forbidden))] };
      return (await play(stage, [{ bytes: request(owner), cuts: [], speaker: all, staysOpen: false }])).faults;
    };
    expect(await faultsOf("alpha", "alpha")).toEqual(["alpha saw ALPHA"]);
    expect(await faultsOf("alpha", "beta")).toEqual([]);
    expect(await faultsOf("none", "alpha")).toEqual([]);
  });
});

describe("a planted fault is found", () => {
  const untilFound = (fault: RegExp) => (report: FuzzReport) =>
    report.inputs < INPUTS && !report.finds.some(({ faults }) => faults.some((one) => fault.test(one)));

  test.for([
    {
      name: "in a gateway that decodes the path once more after it has judged it",
      plant: { startGateway: startDecodingGateway },
      fault: /^the upstream was asked for credentials/,
    },
    {
      name: "in a forwarder that decodes the target that the gateway let through",
      plant: { connect: decodingConnect },
      fault: /^the upstream got what nobody sent/,
    },
  ])("$name", async ({ plant, fault }) => {
    const { finds } = await runFuzz(await startStage(plant), { seed: 1, goOn: untilFound(fault) });
    expect(finds.flatMap(({ faults }) => faults)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]));
  });
});
