import { expect, test } from "vitest";
import { classify } from "../../src/gateway/classify.ts";
import { type Attack, attacksOf } from "../../src/selftest/attack.ts";
import { PATH_ATTACKS } from "../../src/selftest/attack-paths.ts";
import { SPELLING_ATTACKS } from "../../src/selftest/attack-spellings.ts";

/** The fate that a target must have by itself, whatever else of the gateway would catch it. */
const FATES: Readonly<Record<string, string>> = { 400: "malformed", 404: "withheld", own: "intercepted", relayed: "pass-through" };

const ATTACKS = [...PATH_ATTACKS, ...SPELLING_ATTACKS].flatMap(attacksOf);

function targetOf({ request }: Attack): string {
  const [, target = ""] = /^GET (.*) HTTP\/1\.1\r\nHost: 169\.254\.169\.254\r\n\{token\}\r\n$/s.exec(request) ?? [];
  return target.replaceAll("{role}", "host-role");
}

test.for(ATTACKS.map((attack) => ({ ...attack, target: targetOf(attack) })))("$name: $target", ({ target, must }) => {
  expect(target).not.toBe("");
  expect(classify(target, []).fate).toBe(FATES[must]);
});
