import type { Breakage } from "./breakage.ts";

const BUDGET = { file: "src/credentials/sts-budget.ts", tests: ["test/credentials/sts-budget.test.ts"] };
const LEASES = { file: "src/credentials/leases.ts", tests: ["test/credentials/leases-budget.test.ts"] };

/** How often this process asks STS, and who goes first. */
export const BUDGET_BREAKAGES: readonly Breakage[] = [
  {
    ...BUDGET,
    name: "a call costs no turn",
    rule: "S9",
    search: "tokens: bucket.tokens - 1",
    replace: "tokens: bucket.tokens",
  },
  {
    ...BUDGET,
    name: "a clock that is set forward fills more than the bucket",
    rule: "S9",
    search: "Math.min(BUCKET, tokens + (Math.max(0, now - at) * PER_SECOND) / 1_000)",
    replace: "tokens + (Math.max(0, now - at) * PER_SECOND) / 1_000",
  },
  {
    ...LEASES,
    name: "a request that waits goes no faster than what is fetched ahead",
    rule: "S9",
    search: 'if (entry.waiters > 0 || stateOf(entry, now) === "short") return "request";',
    replace: "",
  },
  {
    file: "src/credentials/base-credentials.ts",
    tests: ["test/credentials/base-credentials.test.ts"],
    name: "each refusal loads our own credentials anew",
    rule: "S8",
    search: "if (this.#flight === undefined && now < this.#renewedAt + RETRY_MS) return undefined;",
    replace: "",
  },
];
