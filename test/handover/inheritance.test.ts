import { expect, test } from "vitest";
import { environmentOfHeir, inheritanceIn } from "../../src/handover/inheritance.ts";

test("an heir's environment says what it inherits, and names no other process", () => {
  const environment = {
    ...{
      PATH: "/bin",
      LISTEN_PID: "1",
      LISTEN_FDS: "2",
      LISTEN_FDNAMES: "a:b",
      WATCHDOG_PID: "1",
      WATCHDOG_USEC: "3",
      HANDOVER_FDS: "9 9",
    },
    UNSET: undefined,
  };
  const heirs = environmentOfHeir(environment, { listeners: [4, 5], pipe: 6 });
  expect(heirs).toEqual({ PATH: "/bin", WATCHDOG_USEC: "3", HANDOVER_FDS: "4 5 6" });
  expect(inheritanceIn(heirs)).toEqual({ listeners: [4, 5], pipe: 6 });
});

test.for(["", "4", "4 ", "4 -5", "four five", "4 99999"])("%j is no inheritance", (text) => {
  expect(inheritanceIn({ HANDOVER_FDS: text })).toBe(undefined);
  expect(inheritanceIn({})).toBe(undefined);
});
