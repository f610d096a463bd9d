import { ANSWER_BREAKAGES } from "./answer-breakages.ts";
import { BASE_BREAKAGES } from "./base-breakages.ts";
import type { Breakage } from "./breakage.ts";
import { BRIDGE_GUARD_BREAKAGES } from "./bridge-guard-breakages.ts";
import { BUDGET_BREAKAGES } from "./budget-breakages.ts";
import { DEV_BREAKAGES } from "./dev-breakages.ts";
import { DOOR_BREAKAGES } from "./door-breakages.ts";
import { HANDOVER_BREAKAGES } from "./handover-breakages.ts";
import { HOST_NETWORK_BREAKAGES } from "./host-network-breakages.ts";
import { IDENTITY_BREAKAGES } from "./identity-breakages.ts";
import { OTHER_BREAKAGES } from "./other-breakages.ts";
import { PATH_BREAKAGES } from "./path-breakages.ts";
import { RULES_BREAKAGES } from "./rules-breakages.ts";
import { WIRE_BREAKAGES } from "./wire-breakages.ts";

/** All of them; their names differ. */
export const BREAKAGES: readonly Breakage[] = [
  ...PATH_BREAKAGES,
  ...WIRE_BREAKAGES,
  ...ANSWER_BREAKAGES,
  ...IDENTITY_BREAKAGES,
  ...OTHER_BREAKAGES,
  ...BASE_BREAKAGES,
  ...BUDGET_BREAKAGES,
  ...RULES_BREAKAGES,
  ...HOST_NETWORK_BREAKAGES,
  ...BRIDGE_GUARD_BREAKAGES,
  ...DOOR_BREAKAGES,
  ...DEV_BREAKAGES,
  ...HANDOVER_BREAKAGES,
];
