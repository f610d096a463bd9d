import { expect, test } from "vitest";
import { isInterfacePattern } from "../src/interface-name.ts";

test.for(["docker0", "br-*", "eth0.100", "veth1@if2", "*", "fifteen-letters", "fourteen-char*", "_", "a*"])("%s names interfaces", (text) =>
  expect(isInterfacePattern(text)).toBe(true),
);

test.for(["", "br 1", 'x"; flush ruleset', "-i", "sixteen-letters1", "fifteen-letters*", "br*x", "**", "eth+", "wan+1", "eth0\n", "é"])(
  "%j names none",
  (text) => expect(isInterfacePattern(text)).toBe(false),
);
