import { afterAll, beforeAll, expect, test } from "vitest";
import { CLIENTS, obstacleOf } from "./clients.ts";
import { type Stage, startStage } from "./stage.ts";
import { expectedOf, type Trial, tryClients, verdictsOf } from "./trial.ts";

const LIMIT_MS = 400_000;
const LIGHT = CLIENTS.filter(({ weight }) => weight === "light");
const HERE = LIGHT.filter((client) => obstacleOf(client) === undefined);

let stage: Stage;
let trials: ReadonlyMap<string, Trial>;

beforeAll(async () => {
  stage = await startStage();
  trials = await tryClients(stage, HERE, (text) => process.stdout.write(`${text}\n`));
}, LIMIT_MS);
afterAll(() => stage?.stop());

for (const client of LIGHT) {
  const obstacle = obstacleOf(client);
  test.skipIf(obstacle !== undefined)(
    `${client.name} has its container's role, with and without tokens and over an expiry${obstacle ? `: ${obstacle}` : ""}`,
    () => expect(verdictsOf(trials.get(client.name))).toEqual(expectedOf(client)),
  );
}

test("every light client tells its version and how long it takes", () => {
  const untold = HERE.filter(({ name }) => {
    const { version = "", directMs = 0, throughMs = 0 } = trials.get(name) ?? {};
    return !/^\d+\.\d+/.test(version) || directMs <= 0 || throughMs <= 0;
  });
  expect(untold).toEqual([]);
});
