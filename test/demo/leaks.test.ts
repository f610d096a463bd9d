import { expect, test } from "vitest";
import { leaksIn } from "../../src/demo/leaks.ts";

const SECRETS = [
  { what: "the host's key", text: "HOSTKEY", allowed: [] },
  { what: "the key of php-role", text: "PHPKEY", allowed: ["php"] },
];

test("a secret is found in whatever text it stands, and told once", () => {
  const received = [
    { by: "fluentd", text: "HTTP/1.1 200 OK\r\n\r\nHOSTKEY" },
    { by: "fluentd", text: "again HOSTKEY" },
    { by: "the log", text: "x PHPKEY y" },
  ];
  expect(leaksIn(received, SECRETS)).toEqual(["fluentd saw the host's key", "the log saw the key of php-role"]);
});

test("who may see a secret leaks nothing by seeing it", () => {
  expect(leaksIn([{ by: "php", text: "PHPKEY" }], SECRETS)).toEqual([]);
});

test("a secret that is not known is not found everywhere", () => {
  expect(leaksIn([{ by: "cron", text: "anything" }], [{ what: "no key", text: "", allowed: [] }])).toEqual([]);
});
