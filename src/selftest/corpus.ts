import { type Attack, attacksOf } from "./attack.ts";
import { FIELD_ATTACKS, HEAD_ATTACKS } from "./attack-heads.ts";
import { PATH_ATTACKS } from "./attack-paths.ts";
import { SPELLING_ATTACKS } from "./attack-spellings.ts";

/** All attacks: what fooled gateways of this kind, what each rule of the contract is there for, and every spelling of it. */
export const CORPUS: readonly Attack[] = [...PATH_ATTACKS, ...SPELLING_ATTACKS, ...FIELD_ATTACKS, ...HEAD_ATTACKS].flatMap(attacksOf);
