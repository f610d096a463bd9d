import { expect, test } from "vitest";
import { logLineFor } from "../../src/observability/log-line.ts";

test("a repair of the closed part alone does not say that the redirect is back", () => {
  const repaired = { kind: "rules-repaired", backend: "nftables", parts: "closed", found: "missing in a: b", repairs: 6 } as const;
  expect(logLineFor(repaired).message).toBe("somebody changed the rules; the closed part is back, the redirect is not (missing in a: b)");
});
