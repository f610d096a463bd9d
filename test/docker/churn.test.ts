import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { blindCopy } from "./churn/blind-copy.ts";
import { NO_EVENTS, SHORT_FAULTS } from "./churn/faults.ts";
import { reportText } from "./churn/report-text.ts";
import { type ChurnOptions, type ChurnReport, runChurn } from "./churn/run-churn.ts";

const ROOT = join(import.meta.dirname, "../..");
const SEED = 20_261_125;
const RUN_MS = 150_000;
const LIMIT_MS = 240_000;
const SHORT = { leastMs: 0, askerPauseMs: 50, seed: SEED, limitMs: RUN_MS } as const satisfies Partial<ChurnOptions>;

describe("while containers come and go, and Docker and the gateway fail", () => {
  let report: ChurnReport;

  beforeAll(async () => {
    report = await runChurn({ ...SHORT, containers: 150, gateway: { tree: ROOT, log: undefined }, faults: SHORT_FAULTS });
    process.stdout.write(reportText(report));
  }, LIMIT_MS);

  test("nobody is told another's role, nor given another's credentials or the host's", () => {
    expect([report.verdict.wrong, report.verdict.hostCredentials]).toEqual([[], []]);
  });

  test("nobody is refused but as the table of allowed refusals says", () => expect(report.verdict.unexcused).toEqual([]));

  test("containers older than a second are served, 99 of 100 requests and more", () => {
    const { old, calm } = report.verdict;
    expect([old.served / old.asked, calm.served / calm.asked].map((share) => share >= 0.99)).toEqual([true, true]);
  });

  test("all of it was tried: every fault, every act, and addresses that went on within a second", () => {
    const acts = ["crash", "execute", "pause", "reconnect", "rename", "replace", "restart"];
    const faults = [
      "dockerd killed",
      "dockerd killed, live-restore",
      "events cut",
      "events late",
      "gateway killed",
      "inspect slow",
      "socket hung",
    ];
    expect([...acts, ...faults].filter((act) => !report.acts.has(act))).toEqual([]);
    expect(report.containers).toBeGreaterThanOrEqual(145);
    expect(report.verdict.answers).toBeGreaterThan(5_000);
    expect(report.verdict.early).toBeGreaterThan(100);
    expect(report.reuses).toBeGreaterThanOrEqual(45);
  });
});

test("a gateway that never asks the kernel is caught at answering another's role", { timeout: LIMIT_MS }, async () => {
  using blind = blindCopy(ROOT);
  const { verdict } = await runChurn({ ...SHORT, containers: 40, gateway: { tree: blind.folder, log: undefined }, faults: NO_EVENTS });
  expect(verdict.wrong.length).toBeGreaterThan(0);
});
