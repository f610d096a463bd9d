import type { Breakage } from "./breakage.ts";

const BUDGET = { file: "src/credentials/sts-budget.ts", tests: ["test/credentials/sts-budget.test.ts"] };
const ENTRY = { file: "src/credentials/lease-entry.ts", tests: ["test/credentials/leases-budget.test.ts"] };
const LEASES = { file: "src/credentials/leases.ts", tests: ["test/credentials/leases-budget.test.ts"] };
const MINT = { file: "src/credentials/mint.ts", tests: ["test/credentials/mint.test.ts"] };

/** How often this process asks STS, who goes first, and what is done for nobody. */
export const BUDGET_BREAKAGES: readonly Breakage[] = [
  {
    ...BUDGET,
    name: "a call costs no turn",
    rule: "S9",
    search: "creditMs: bucket.creditMs - CALL_MS",
    replace: "creditMs: bucket.creditMs",
  },
  {
    ...BUDGET,
    name: "the longer nobody asks STS, the more may ask at once",
    rule: "S9",
    search: "Math.min(FULL_MS, creditMs + Math.max(0, now - at))",
    replace: "creditMs + Math.max(0, now - at)",
  },
  {
    ...BUDGET,
    name: "a clock that is set back stops all calls to STS",
    rule: "S9",
    search: "creditMs + Math.max(0, now - at)",
    replace: "creditMs + now - at",
  },
  {
    ...BUDGET,
    name: "a call that nobody wants any more takes a turn",
    rule: "S9",
    search: "        waiters.delete(waiter);\n",
    replace: "",
  },
  {
    ...BUDGET,
    name: "each arrival looks at all who wait",
    rule: "S9",
    search: "while (bucket.creditMs >= CALL_MS) {\n      const next = nextOf(waiters);",
    replace: "for (;;) {\n      const next = nextOf(waiters);\n      if (bucket.creditMs < CALL_MS) break;",
  },
  {
    file: "src/credentials/role-refusals.ts",
    tests: ["test/credentials/role-refusals.test.ts"],
    name: "each role that is refused asks anew who calls",
    rule: "S9",
    search: "    known = asked;\n",
    replace: "",
  },
  {
    ...LEASES,
    tests: ["test/credentials/leases.test.ts"],
    name: "a timer that comes early in the backoff is the last one",
    rule: "S9",
    search: "if (this.#begin(entry, purpose) === undefined) this.#schedule(entry);",
    replace: "this.#begin(entry, purpose);",
  },
  {
    file: "src/clock.ts",
    tests: ["base-credentials-clock", "leases", "role-refusals"].map((name) => `test/credentials/${name}.test.ts`),
    name: "after a clock was set back all wait for as long as that",
    rule: "S8, S9, S11",
    search: "now >= since + ms || now < since",
    replace: "now >= since + ms",
    titled: "set back",
  },
  {
    ...ENTRY,
    name: "a request that waits goes no faster than what is fetched ahead",
    rule: "S9",
    search: 'if (entry.waiters > 0) return "request";',
    replace: "",
  },
  {
    ...ENTRY,
    name: "a renewal waits behind what is fetched ahead, however short its lease",
    rule: "S9",
    search: 'return "short";',
    replace: 'return "renewal";',
  },
  {
    ...LEASES,
    name: "a dropped lease is asked for all the same",
    rule: "S9",
    search: "entry?.flight?.ending.abort();",
    replace: "",
  },
  {
    ...LEASES,
    name: "each request waits in vain for a renewal in the queue",
    rule: "N3",
    search: "this.#now() - before.begunAt >= SHORT_HOLD_MS",
    replace: "this.#now() < before.begunAt",
  },
  {
    ...MINT,
    name: "the call with renewed keys is not counted",
    rule: "S8, S9",
    search: "return await callTold(parts, ask, async () => renewed);",
    replace: "return await callSts(parts, ask, renewed);",
  },
  {
    ...MINT,
    name: "keys are refused again and again by the same flight",
    rule: "S8",
    search: "if (renewed === undefined) throw error;",
    replace: "if (renewed === undefined) return await callTold(parts, ask, current);",
  },
  {
    file: "src/credentials/flight.ts",
    tests: ["test/credentials/flight.test.ts"],
    name: "tries are begun without end",
    rule: "S9",
    search: "spentMs >= TRY_BUDGET_MS || ",
    replace: "",
  },
  {
    file: "src/credentials/backoff.ts",
    tests: ["test/credentials/leases-budget.test.ts"],
    name: "the backoff grows for ever",
    rule: "N2",
    search: "Math.min(30_000, 1_000 * 2 ** (failures - 1))",
    replace: "1_000 * 2 ** Math.min(failures - 1, 20)",
  },
  {
    file: "src/credentials/base-credentials.ts",
    tests: ["test/credentials/base-credentials.test.ts"],
    name: "each refusal loads our own credentials anew",
    rule: "S8",
    search: "if (this.#flight === undefined && !hasPassed(this.#renewedAt, RETRY_MS, now)) return undefined;",
    replace: "",
  },
];
