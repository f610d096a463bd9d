import type { Fault } from "./fault.ts";
import { BROKEN_ANSWERS } from "./rows-of-answers.ts";
import { REFUSALS } from "./rows-of-refusals.ts";
import { BROKEN_WAYS } from "./rows-of-ways.ts";

/** Everything that can go wrong between imdsgate and STS, in the order of docs/contract.md, X1 to X5. */
export const FAULTS: readonly Fault[] = [...REFUSALS, ...BROKEN_WAYS, ...BROKEN_ANSWERS];
