import { expect, test } from "vitest";
import { answersOf, faultsOf, isServed, toldOf } from "../../scripts/lib/vm-verdict.ts";

const line = (status: string, role: string, second: number) =>
  `${JSON.stringify({ log: `172.17.0.2\t${status}\t${role}\n`, stream: "stdout", time: `2026-01-01T00:00:0${second}.123456789Z` })}\n`;
const OK = "HTTP/1.1 200 OK";
const NOT_FOUND = "HTTP/1.1 404 Not Found";
const LOG = [
  line(OK, "web-role", 1),
  line(NOT_FOUND, "", 2),
  line(OK, "host-role", 3),
  line(OK, "php-role", 4),
  line("closed", "", 5),
].join("");

test("the log that Docker keeps on disk is read with its times, without a line that is not whole", () => {
  expect(answersOf(`${line(OK, "web-role", 1)}${line(NOT_FOUND, "", 2)}{"log":"172.`)).toEqual([
    { addresses: ["172.17.0.2"], status: OK, role: "web-role", at: Date.UTC(2026, 0, 1, 0, 0, 1, 123) },
    { addresses: ["172.17.0.2"], status: NOT_FOUND, role: "", at: Date.UTC(2026, 0, 1, 0, 0, 2, 123) },
  ]);
});

test("what a container was told is counted by whose role it is", () => {
  expect(toldOf("web-role", "host-role", answersOf(LOG))).toEqual({ own: 1, none: 1, host: 1, other: 1, unanswered: 1 });
  expect(toldOf("", "host-role", answersOf(LOG))).toEqual({ own: 0, none: 1, host: 1, other: 2, unanswered: 1 });
});

test("the host's role and another's are faults, and no answer is none", () => {
  const well = { own: 3, none: 1, host: 0, other: 0, unanswered: 2 };
  expect(faultsOf("web", well)).toEqual([]);
  expect(faultsOf("web", { ...well, host: 2, other: 1 })).toEqual([
    "web was told the host's role 2 times",
    "web was told the role of another 1 times",
  ]);
});

test("a container with a binding is served by its role, one without by a refusal", () => {
  const told = { own: 3, none: 1, host: 0, other: 0, unanswered: 0 };
  expect([isServed("web-role", told, 3), isServed("web-role", told, 4), isServed("", told, 1), isServed("", told, 2)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
