import type { CredentialsPlan } from "./credentials.ts";
import type { IdentityPlan } from "./identity.ts";
import type { NeighbourPlan } from "./neighbour.ts";
import type { Plan } from "./rounds.ts";
import type { RulesPlan } from "./rules.ts";

/** How much each part of a run asks. */
export interface FullPlan extends Plan {
  readonly secondLoad: number;
  readonly warmStarts: number;
  readonly neighbour: NeighbourPlan;
  readonly profiled: number;
  readonly credentials: CredentialsPlan;
  readonly rules: RulesPlan;
  readonly identity: IdentityPlan;
}

export const FULL: FullPlan = {
  rounds: 7,
  requests: 1_400,
  warmUp: 4_000,
  secondLoad: 20_000,
  warmStarts: 7,
  neighbour: { rounds: 5, questions: 500 },
  profiled: 20_000,
  credentials: { newContainers: 25, warmAnswers: 5_000, leases: 10_000 },
  rules: { containers: 1_000, settleMs: 30_000, idleMs: 90_000, foreign: { rounds: 10, requests: 2_000 } },
  identity: { counts: [10, 100, 1_000], attestations: 10_000, coming: 15, starts: 3 },
};
/** To see that it works. */
export const QUICK: FullPlan = {
  rounds: 2,
  requests: 250,
  warmUp: 100,
  secondLoad: 500,
  warmStarts: 2,
  neighbour: { rounds: 1, questions: 200 },
  profiled: 3_000,
  credentials: { newContainers: 5, warmAnswers: 500, leases: 1_000 },
  rules: { containers: 50, settleMs: 1_000, idleMs: 5_000, foreign: { rounds: 1, requests: 500 } },
  identity: { counts: [10, 50], attestations: 1_000, coming: 5, starts: 1 },
};
