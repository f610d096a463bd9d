import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Network, startNetwork } from "./network.ts";
import { outcomeWanted, playScenario } from "./play-scenario.ts";
import { TOOLS } from "./scenario.ts";
import { WHAT_STANDS_AROUND } from "./what-stands-around.ts";

describe.for(TOOLS)("under $name", (tool) => {
  let network: Network;
  beforeAll(async () => {
    network = await startNetwork();
  });
  afterAll(() => network[Symbol.asyncDispose]());

  test.for(WHAT_STANDS_AROUND)("$name", async (scenario) => {
    expect(await playScenario(network, tool, scenario)).toEqual(outcomeWanted(scenario, tool));
  });
});
