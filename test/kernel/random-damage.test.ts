import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { BackendName } from "../../src/rules/backend.ts";
import { DAMAGES, type Damage } from "./damage.ts";
import { rulesText } from "./dump.ts";
import { startKept } from "./kept-host.ts";
import { GATEWAY_PORT, IMDS4, type Network, startNetwork } from "./network.ts";

/** `IMDSGATE_DAMAGE_ROUNDS=200` for the long run, `IMDSGATE_DAMAGE_SEED` for another one. */
const ROUNDS = Number(process.env["IMDSGATE_DAMAGE_ROUNDS"] ?? 8);
const SEED = Number(process.env["IMDSGATE_DAMAGE_SEED"] ?? 8);
const LIMIT_MS = 60_000 + ROUNDS * 5_000;

const BACKENDS = ["nftables", "iptables-nft", "iptables-legacy"] as const;

/** The same choice for the same seed: one damage for each round. */
function chosenDamages(backend: BackendName): readonly Damage[] {
  return fc.sample(fc.constantFrom(...DAMAGES[backend]), { numRuns: ROUNDS, seed: SEED });
}

/** A container that asks the metadata service again and again, and when it was answered by whom: until it is told, and was served often enough. */
function startAsking({ ca }: Network) {
  const answers: { readonly asked: number; readonly answered: number; readonly by: string }[] = [];
  let isEnding = false;
  let served = 0;
  const asking = (async () => {
    while (!isEnding || served <= ROUNDS) {
      const asked = performance.now();
      const said = await ca.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: 300 });
      const by = said.replace(/ .*/, "");
      served += by === "gateway" ? 1 : 0;
      answers.push({ asked, answered: performance.now(), by });
    }
  })();
  return {
    async end() {
      isEnding = true;
      await asking;
      return answers;
    },
  };
}

async function startOwnNetwork(): Promise<Network> {
  const network = await startNetwork();
  onTestFinished(() => network[Symbol.asyncDispose]());
  return network;
}

describe.for(BACKENDS)("%s under random damage", (backend) => {
  test("without our rules every round reaches the real service", { timeout: LIMIT_MS }, async () => {
    const { host, ca } = await startOwnNetwork();
    for (const { act, undo } of chosenDamages(backend)) {
      // Most of it fails, since there is nothing to damage.
      await act(host).catch(() => {});
      const said = await ca.ask({ act: "request", host: IMDS4, port: 80, timeoutMs: 10_000 });
      expect(said).toBe("decoy saw 172.30.0.2 on 169.254.169.254");
      await undo?.(host);
    }
  });

  test(`${ROUNDS} rounds end as they began, and outside the gaps no answer is the real service's`, { timeout: LIMIT_MS }, async () => {
    const network = await startOwnNetwork();
    const { host } = network;
    const kept = await startKept(host, backend);
    onTestFinished(kept.stop);
    const before = await rulesText(host);
    const asking = startAsking(network);
    const gaps: { readonly from: number; readonly to: number }[] = [];
    for (const [round, damage] of chosenDamages(backend).entries()) {
      const from = performance.now();
      await damage.act(host);
      await kept.told(({ kind }) => kind === "rules-repaired", round);
      gaps.push({ from, to: performance.now() });
      await damage.undo?.(host);
      kept.forget();
    }
    const answers = await asking.end();
    const leaked = answers.filter(
      ({ asked, answered, by }) => by === "decoy" && !gaps.some(({ from, to }) => asked <= to && answered >= from),
    );
    expect(leaked).toEqual([]);
    expect(answers.filter(({ by }) => by === "gateway").length).toBeGreaterThan(ROUNDS);
    expect(await kept.rules.differences("all", GATEWAY_PORT)).toEqual([]);
    expect(await rulesText(host)).toBe(before);
    expect(kept.events.map(({ kind }) => kind)).toEqual(Array(ROUNDS).fill("rules-repaired"));
  });
});
